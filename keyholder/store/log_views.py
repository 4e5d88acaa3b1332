"""Statements over what the holder has seen of the broker's log: the checkpoint that it cosigned, the leaves that it
applied. Neither ever goes back.

Knows numbers, notes and hashes; what a checkpoint means is checked before.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, update

from keyholder.store.inserting import insert_into
from keyholder.store.schema import followed, passed_over, witnessed
from policies.log.tree import EMPTY_ROOT


class Witnessed(NamedTuple):
    """The checkpoint that was cosigned last: size, root (32 bytes), signed note (empty before the first), when."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    cosigned_at: int = 0


class Followed(NamedTuple):
    """How far the log was followed.

    position    leaves that are applied
    size, note  of the newest checkpoint that continued everything before; an empty note before the first
    reached_at  when all leaves of the newest checkpoint were applied last (Unix seconds)
    newest_at   the time in the newest leaf that was applied
    """

    position: int = 0
    size: int = 0
    note: str = ""
    reached_at: int = 0
    newest_at: int = 0


def witnessed_checkpoint(connection: Connection, origin: str) -> Witnessed:
    """The checkpoint of a log that was cosigned last."""
    columns = (witnessed.c.size, witnessed.c.root, witnessed.c.note, witnessed.c.cosigned_at)
    row = connection.execute(select(*columns).where(witnessed.c.origin == origin)).first()
    return Witnessed() if row is None else Witnessed(row.size, bytes(row.root), row.note, row.cosigned_at)


def lock_witnessed(connection: Connection, origin: str) -> Witnessed:
    """As `witnessed_checkpoint`, locked until the transaction's end."""
    fresh = insert_into(connection, witnessed).values(origin=origin, **Witnessed()._asdict())
    connection.execute(fresh.on_conflict_do_nothing())
    connection.execute(select(witnessed.c.origin).where(witnessed.c.origin == origin).with_for_update())
    return witnessed_checkpoint(connection, origin)


def keep_witnessed(connection: Connection, origin: str, kept: Witnessed) -> None:
    """Keep a checkpoint as the newest; the caller has locked the one before."""
    connection.execute(update(witnessed).where(witnessed.c.origin == origin).values(**kept._asdict()))


def followed_log(connection: Connection, origin: str) -> Followed:
    """How far a log was followed."""
    columns = (
        followed.c.position,
        followed.c.size,
        followed.c.note,
        followed.c.reached_at,
        followed.c.newest_at,
    )
    row = connection.execute(select(*columns).where(followed.c.origin == origin)).first()
    return Followed() if row is None else Followed(*row)


def lock_followed(connection: Connection, origin: str) -> Followed:
    """As `followed_log`, locked until the transaction's end."""
    fresh = insert_into(connection, followed).values(origin=origin, **Followed()._asdict())
    connection.execute(fresh.on_conflict_do_nothing())
    connection.execute(select(followed.c.origin).where(followed.c.origin == origin).with_for_update())
    return followed_log(connection, origin)


def keep_followed(connection: Connection, origin: str, kept: Followed) -> None:
    """Keep how far the log was followed; the caller has locked the row."""
    connection.execute(update(followed).where(followed.c.origin == origin).values(**kept._asdict()))


def pass_over(connection: Connection, epoch_id: bytes, index: int) -> None:
    """Remember that a withdrawal at `index` is of an epoch that is not accepted here; the first one counts."""
    statement = insert_into(connection, passed_over).values(epoch_id=epoch_id, first=index)
    connection.execute(statement.on_conflict_do_nothing())


def passed_over_epochs(connection: Connection) -> dict[bytes, int]:
    """The epochs whose withdrawals were passed over, with the first leaf of each."""
    rows = connection.execute(select(passed_over.c.epoch_id, passed_over.c.first))
    return {bytes(row.epoch_id): row.first for row in rows}


def is_passed_over(connection: Connection, epoch_id: bytes) -> bool:
    """Whether withdrawals of an epoch were passed over and not read since."""
    query = select(func.count()).select_from(passed_over).where(passed_over.c.epoch_id == epoch_id)
    return bool(connection.execute(query).scalar_one())


def forget_passed_over(connection: Connection, epoch_id: bytes, first: int) -> None:
    """The withdrawals of an epoch have been read, from the leaf `first` on."""
    connection.execute(delete(passed_over).where(passed_over.c.epoch_id == epoch_id, passed_over.c.first >= first))
