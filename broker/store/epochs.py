"""Epochs, kinds and institutions under the short numbers that the wide tables use instead of ids.

Follows what the signed documents say; it verifies nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from broker.store.counters import start_counters
from broker.store.log_schema import rematch
from broker.store.schema import alert, alert_record, epoch, institution, kind


class InstitutionRow(NamedTuple):
    """An institution of an epoch. Its short number and its group never change."""

    institution: int
    institution_id: str
    group_id: str
    active: bool
    last_seq: int


_INSTITUTION_COLUMNS = tuple(institution.c[name] for name in InstitutionRow._fields)


def epoch_number(connection: Connection, epoch_id: bytes) -> int | None:
    """The short number of the epoch with a 32-byte id; None if it was never followed."""
    return connection.execute(select(epoch.c.epoch).where(epoch.c.epoch_id == epoch_id)).scalar_one_or_none()


def follow_roster(
    connection: Connection, epoch_id: bytes, kinds: Iterable[str], version: int, members: Mapping[str, str]
) -> int:
    """Make the tables follow a roster: `members` is the group of each institution in it that is not suspended.

    Returns the epoch's short number. Institutions that left or are suspended stay, as inactive, and the alerts that
    hold their records are judged again; what one whose suspension was lifted has in the index is matched again.
    """
    number = epoch_number(connection, epoch_id)
    if number is None:
        number = _create_epoch(connection, epoch_id, sorted(kinds), version)
    held = connection.execute(
        select(epoch.c.roster_version).where(epoch.c.epoch == number).with_for_update()
    ).scalar_one()
    if held > version:
        return number
    known = {row.institution_id: row for row in institutions(connection, number)}
    _add_institutions(connection, number, {name: group for name, group in members.items() if name not in known}, known)
    _deactivate(
        connection, number, [row.institution for name, row in known.items() if row.active and name not in members]
    )
    _reactivate(
        connection, number, [row.institution for name, row in known.items() if not row.active and name in members]
    )
    connection.execute(update(epoch).where(epoch.c.epoch == number).values(roster_version=version))
    return number


def institutions(connection: Connection, number: int) -> list[InstitutionRow]:
    """All institutions that ever were in the epoch's roster."""
    rows = connection.execute(select(*_INSTITUTION_COLUMNS).where(institution.c.epoch == number))
    return [InstitutionRow(*row) for row in rows]


def find_institution(
    connection: Connection, number: int, institution_id: str, *, lock: bool = False
) -> InstitutionRow | None:
    """One institution; with `lock`, nobody else applies a statement of its until the transaction ends."""
    query = select(*_INSTITUTION_COLUMNS).where(
        institution.c.epoch == number, institution.c.institution_id == institution_id
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else InstitutionRow(*row)


def set_last_seq(connection: Connection, number: int, institution_number: int, seq: int) -> None:
    """Note the institution's last statement that was applied."""
    connection.execute(
        update(institution)
        .where(institution.c.epoch == number, institution.c.institution == institution_number)
        .values(last_seq=seq)
    )


def kind_names(connection: Connection, number: int) -> dict[int, str]:
    """Name of each kind by its short number."""
    rows = connection.execute(select(kind.c.kind, kind.c.name).where(kind.c.epoch == number))
    return {row.kind: row.name for row in rows}


def _create_epoch(connection: Connection, epoch_id: bytes, kinds: list[str], version: int) -> int:
    number = (connection.execute(select(func.max(epoch.c.epoch))).scalar_one() or 0) + 1
    connection.execute(insert(epoch), {"epoch": number, "epoch_id": epoch_id, "roster_version": version})
    start_counters(connection)
    connection.execute(
        insert(kind), [{"epoch": number, "kind": place, "name": name} for place, name in enumerate(kinds, 1)]
    )
    return number


def _add_institutions(
    connection: Connection, number: int, added: Mapping[str, str], known: Mapping[str, InstitutionRow]
) -> None:
    first = max((row.institution for row in known.values()), default=0) + 1
    if added:
        connection.execute(
            insert(institution),
            [
                {
                    "epoch": number,
                    "institution": place,
                    "institution_id": name,
                    "group_id": group,
                    "active": True,
                    "last_seq": 0,
                }
                for place, (name, group) in enumerate(sorted(added.items()), first)
            ],
        )


def _deactivate(connection: Connection, number: int, left: list[int]) -> None:
    if not left:
        return
    connection.execute(
        update(institution)
        .where(institution.c.epoch == number, institution.c.institution.in_(left))
        .values(active=False)
    )
    theirs = select(alert_record.c.alert).where(alert_record.c.epoch == number, alert_record.c.institution.in_(left))
    connection.execute(update(alert).where(alert.c.epoch == number, alert.c.alert.in_(theirs)).values(stale=True))


def _reactivate(connection: Connection, number: int, returning: list[int]) -> None:
    for place in returning:
        theirs = {"epoch": number, "institution": place}
        connection.execute(
            update(institution)
            .where(institution.c.epoch == number, institution.c.institution == place)
            .values(active=True)
        )
        connection.execute(delete(rematch).where(rematch.c.epoch == number, rematch.c.institution == place))
        connection.execute(insert(rematch), {**theirs, "after": 0})
