"""Ends records whose time is up, some at a time, and logs how many of which institution ended, in one transaction.

Depends on times that submitters set themselves and on nothing else: it runs apart from matching, which it never waits
for. Knows no tag and no alert.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from broker.log.append import append
from broker.store import endings
from broker.store.epochs import epoch_number
from policies.log.leaves import expiry_leaf
from policies.trust import Trust
from runtime.database import read_transaction, run_in_transaction

RECORDS_A_STEP = 2048


def expire(engine: Engine, trust: Trust, now: int) -> bool:
    """End at most 2048 records of one submission; return whether any submission had some to end."""
    with read_transaction(engine) as connection:
        number = epoch_number(connection, trust.epoch_id)
        if number is None or not endings.has_expired(connection, number, now):
            return False

    def work(connection: Connection) -> bool:
        expired = endings.expire_some(connection, number, now, RECORDS_A_STEP)
        if expired is None:
            return False
        if expired.records:
            append(connection, expiry_leaf(expired.institution_id, expired.records, now))
        return True

    return run_in_transaction(engine, work)
