"""Reads what matching works on out of the database: the epoch's view, and fresh entries out of packed records.

Knows the form of a record, not what becomes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from broker.matching.view import EpochView
from broker.store import epochs
from broker.store.index import Standing
from broker.store.schema import NO_PROOF, PROOF
from crypto.records import unpack_records
from crypto.tags import POSSESSION_ENTRY, possession_tag
from policies.epoch import Epoch


def load_view(connection: Connection, number: int, epoch: Epoch) -> EpochView:
    """The view of an epoch that the tables follow under a short number."""
    rows = epochs.institutions(connection, number)
    return EpochView(
        epoch=number,
        rule=epoch.opening_rule,
        policies=epoch.kinds,
        kind_names=epochs.kind_names(connection, number),
        institutions={row.institution: row.institution_id for row in rows},
        groups={row.institution: row.group_id for row in rows},
        active=frozenset(row.institution for row in rows if row.active),
    )


def fresh_entries(view: EpochView, institution: int, bodies: Sequence[tuple[int, bytes]]) -> list[Standing]:
    """The entries of packed records (record number, body), which were checked when they arrived."""
    kinds = {name.encode(): number for number, name in view.kind_names.items()}
    epoch = view.epoch
    entries: list[Standing] = []
    records = unpack_records(b"".join(body for _, body in bodies))
    for (record_id, _), record in zip(bodies, records, strict=True):
        for entry in record.entries:
            form = 2 + int.from_bytes(entry[:2], "big")
            kind = kinds[entry[2:form]]
            if entry[form] == POSSESSION_ENTRY:
                tag = possession_tag(entry[form + 1 : form + 33])
                entries.append(Standing(record_id, tag, kind, epoch, institution, PROOF))
            else:
                entries.append(Standing(record_id, entry[form + 1 :], kind, epoch, institution, NO_PROOF))
    return entries
