"""Numbers for the operator: what the database holds and what waits. Never served to a party: some depend on matches."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select

from broker.store.activity import count_waiting
from broker.store.log import log_size
from broker.store.log_schema import log_cosignature, log_pending
from broker.store.schema import RAISED, alert, entry, record, removal, set_aside, submission, tombstone
from broker.store.submissions import count_unmatched


def overview(connection: Connection, epoch: int) -> dict[str, int]:
    """Counts of one epoch, by name."""
    raised = select(func.count()).select_from(alert).where(alert.c.epoch == epoch, alert.c.state == RAISED)
    stale = select(func.count()).select_from(alert).where(alert.c.epoch == epoch, alert.c.stale)
    return {
        "unmatched_submissions": count_unmatched(connection, epoch),
        "removals_waiting": _count(connection, removal, epoch),
        "alerts_to_judge_again": connection.execute(stale).scalar_one(),
        "submissions": _count(connection, submission, epoch),
        "records": _count(connection, record, epoch),
        "entries": _count(connection, entry, epoch),
        "entries_set_aside": _count(connection, set_aside, epoch),
        "tombstones": _count(connection, tombstone, epoch),
        "alerts_raised": connection.execute(raised).scalar_one(),
        "log_size": log_size(connection),
        "leaves_waiting": connection.execute(select(func.count()).select_from(log_pending)).scalar_one(),
        "last_cosigned_size": connection.execute(select(func.max(log_cosignature.c.size))).scalar_one() or 0,
        "activity_waiting": count_waiting(connection),
    }


def _count(connection: Connection, table: Table, epoch: int) -> int:
    return connection.execute(select(func.count()).select_from(table).where(table.c.epoch == epoch)).scalar_one()
