"""Fetches the key holders' signed daily counts of evaluations, verifies their chains, and logs one leaf a day.

A holder whose chain does not continue is not logged, and a line in the broker's own log says so: the auditor, who asks
the holders too, finds the gap. Knows no submission; the comparison is the auditor's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from broker.log.append import append
from broker.log.witnesses import Transport
from broker.store import counted_days
from broker.store.counted_days import CountedDay
from crypto.signatures import SigningKey, is_valid
from policies.documents import Document, document_hash, signed_bytes
from policies.errors import DocumentRefused
from policies.log.leaves import evaluations_leaf
from policies.parties import BROKER, EnrolledHolder
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import read_transaction, run_in_transaction
from runtime.exits import UserError
from wire.messages.counts import DailyCounts, DailyCountsList
from wire.packed import pack
from wire.session import SignedSession

COUNTS_TYPE = "crosslight/v1 counts"
_TIMEOUT = 30.0


class HolderCounts:
    """The key holders' counts, fetched as the broker. One thread uses it."""

    def __init__(
        self,
        engine: Engine,
        trust: Callable[[], Trust],
        clock: Clock,
        signing_key: SigningKey,
        *,
        transport: Transport = lambda _: None,
        ca_file: Path | None = None,
    ) -> None:
        self._engine = engine
        self._trust = trust
        self._clock = clock
        self._signing_key = signing_key
        self._transport = transport
        self._ca_file = ca_file

    def fetch(self) -> int:
        """Log the counts of every holder's days that are not in the log yet; return how many days were new.

        A holder that is away, or whose chain is broken, is passed over.
        """
        trust = self._trust()
        if not trust.is_ready:
            return 0
        new = 0
        for holder in trust.agreement.holders:
            try:
                new += sum(self._take(trust, holder, signed) for signed in self._ask(trust, holder))
            except UserError as error:
                structlog.get_logger().warning("counts of a holder not logged", holder=holder.index, reason=str(error))
        return new

    def _ask(self, trust: Trust, holder: EnrolledHolder) -> tuple[DailyCounts, ...]:
        with read_transaction(self._engine) as connection:
            last = counted_days.last_counted_day(connection, trust.epoch_id, holder.index)
        with SignedSession(
            holder.address,
            BROKER,
            self._signing_key,
            holder.party_id,
            holder.key,
            self._clock,
            timeout=_TIMEOUT,
            attempts=1,
            ca_file=self._ca_file,
            transport=self._transport(holder.party_id),
        ) as session:
            query = {"from": last.day} if last is not None else {}
            return session.get("/v1/counts", DailyCountsList, query=query).days

    def _take(self, trust: Trust, holder: EnrolledHolder, signed: DailyCounts) -> bool:
        """Log one day where it is the next of its chain; False for a day that is in the log already.

        Raises DocumentRefused for one that does not continue the chain or is not signed by its holder.
        """
        document = dict(signed.document)
        if document.get("epoch_id") != pack(trust.epoch_id):
            return False  # of an epoch before, whose chain has ended
        day = _check(document, holder, signed.signature)
        try:
            return run_in_transaction(
                self._engine,
                lambda connection: _log_day(
                    connection, trust.epoch_id, document, signed.signature, day, unix(self._clock)
                ),
            )
        except IntegrityError:
            return False  # Another process has just logged the same day.


def _log_day(connection: Connection, epoch_id: bytes, document: Document, signature: bytes, day: str, now: int) -> bool:
    holder = int(document["holder"])
    last = counted_days.last_counted_day(connection, epoch_id, holder)
    found = document_hash(document)
    if last is not None and day <= last.day:
        if day == last.day and found != last.hash:
            raise DocumentRefused(f"Holder {holder} signed two different counts for {day}.")
        return False
    if document.get("previous") != pack(last.hash if last is not None else epoch_id):
        raise DocumentRefused(f"The counts of holder {holder} for {day} do not continue those before.")
    counted_days.add_counted_day(connection, epoch_id, holder, CountedDay(day, found))
    append(connection, evaluations_leaf(document, signature, now))
    return True


def _check(document: Document, holder: EnrolledHolder, signature: bytes) -> str:
    """The day of a counts document that its holder signed."""
    day = document.get("day")
    if document.get("type") != COUNTS_TYPE or document.get("holder") != holder.index or not isinstance(day, str):
        raise DocumentRefused(f"What holder {holder.index} gave as its counts is another document.")
    if not is_valid(holder.key, signed_bytes(document), signature):
        raise DocumentRefused(f"The counts of holder {holder.index} for {day} are not signed with its key.")
    return day
