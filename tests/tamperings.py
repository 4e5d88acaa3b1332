"""What somebody with the broker's database, or with the broker's own key as well, may do to the past.

Each tampering changes one thing, chosen by chance, and says by which words a finding must name it. `as_operator` are
those after which the log is built anew and signed: the operator has the key.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from broker.log.append import append
from broker.store import log_schema, schema
from broker.store.log import set_log_size
from crypto.records import pack_records, unpack_records
from policies.log.signed_note import decode_base64, encode_base64
from policies.log.tree import leaf_hash
from runtime.database import run_in_transaction
from tests.tamper_world import TamperWorld
from wire.packed import pack, unpack

Chance = random.Random


@dataclass(frozen=True)
class Done:
    """What was done, for people; and words of which a finding must hold at least one."""

    what: str
    names: tuple[str, ...]


Tampering = Callable[[TamperWorld, Connection, Chance], Done]


@dataclass(frozen=True)
class Kind:
    """One way to tamper; `rebuilds`: the log is built anew afterwards and signed with the broker's key."""

    name: str
    tamper: Tampering
    rebuilds: bool = False


def tamper(world: TamperWorld, kind: Kind, chance: Chance) -> Done:
    """Do one tampering to the broker's database."""
    engine = world.agreement.broker.engine
    if not kind.rebuilds:
        return run_in_transaction(engine, lambda connection: kind.tamper(world, connection, chance))

    def rebuild(connection: Connection) -> Done:
        leaves = _leaves(connection)
        done = kind.tamper(world, connection, chance)
        changed = _leaves(connection)
        assert leaves != changed, kind.name
        for table in (log_schema.log_leaf, log_schema.log_tile, log_schema.log_checkpoint, log_schema.log_cosignature):
            connection.execute(delete(table))
        connection.execute(delete(log_schema.log_pending))
        set_log_size(connection, 0)
        for leaf in changed:
            append(connection, leaf)
        return done

    done = run_in_transaction(engine, rebuild)
    world.agreement.broker.keeper.finish()
    return done


def _leaves(connection: Connection) -> list[bytes]:
    leaf = log_schema.log_leaf
    return [bytes(row) for row in connection.execute(select(leaf.c.leaf).order_by(leaf.c.place)).scalars()]


def _pick(connection: Connection, chance: Chance, event: str | None = None) -> tuple[int, dict[str, Any]]:
    """A leaf by chance: its place and what it says."""
    found = [(place, json.loads(leaf)) for place, leaf in enumerate(_leaves(connection))]
    return chance.choice(
        [(place, leaf) for place, leaf in found if event is None or leaf["type"].endswith(f" {event}")]
    )


def _put_leaf(connection: Connection, place: int, document: dict[str, Any], *, rehash: bool) -> None:
    leaf = log_schema.log_leaf
    encoded = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    values: dict[str, Any] = {"leaf": encoded} | ({"hash": leaf_hash(encoded)} if rehash else {})
    connection.execute(update(leaf).where(leaf.c.place == place).values(**values))


def _changed_leaf(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, leaf = _pick(connection, chance)
    _put_leaf(connection, place, {**leaf, "at": leaf["at"] - chance.randrange(1, 100_000)}, rehash=False)
    return Done(f"the time in leaf {place} was set back", (f"eaf {place}",))


def _rehashed_leaf(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, leaf = _pick(connection, chance)
    _put_leaf(connection, place, {**leaf, "at": leaf["at"] + 1}, rehash=True)
    return Done(f"leaf {place} and its hash were changed", (f"eaf {place}", "tiles are not those", "two histories"))


def _rewritten_leaf(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, leaf = _pick(connection, chance)
    _put_leaf(connection, place, {**leaf, "at": leaf["at"] + 1}, rehash=True)
    return Done(f"leaf {place} was rewritten, and the log signed anew", (f"eaf {place}", "two histories"))


def _drop(connection: Connection, place: int) -> None:
    leaf = log_schema.log_leaf
    connection.execute(delete(leaf).where(leaf.c.place == place))


def _dropped_decision(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, _ = _pick(connection, chance, "decision")
    _drop(connection, place)
    return Done(f"the decision in leaf {place} was dropped, and the log signed anew", ("was cut", "two histories"))


def _dropped_leaf(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, _ = _pick(connection, chance)
    _drop(connection, place)
    return Done(f"leaf {place} was dropped, and the log signed anew", ("was cut", "two histories"))


def _replaced_evaluations(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, leaf = _pick(connection, chance, "evaluations")
    counts = leaf["document"]["counts"]
    institution = chance.choice(sorted(counts))
    family = chance.choice(sorted(counts[institution]))
    counts[institution][family] += chance.randrange(1, 1000)
    _put_leaf(connection, place, leaf, rehash=True)
    return Done(f"the evaluations in leaf {place} were raised", (f"eaf {place}", "two histories"))


def _turned_decision(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    place, leaf = _pick(connection, chance, "decision")
    leaf["decision"]["allowed"] = not leaf["decision"]["allowed"]
    _put_leaf(connection, place, leaf, rehash=True)
    return Done(f"the decision in leaf {place} was turned round", (f"eaf {place}", "two histories"))


def _truncated(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    leaf = log_schema.log_leaf
    size = len(_leaves(connection))
    kept = chance.randrange(1, size)
    connection.execute(delete(leaf).where(leaf.c.place >= kept))
    return Done(f"the log was cut to {kept} leaves", ("was cut", "two histories"))


def _reordered(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    leaf = log_schema.log_leaf
    leaves = _leaves(connection)
    first, second = sorted(chance.sample(range(len(leaves)), 2))
    for place, body in ((first, leaves[second]), (second, leaves[first])):
        connection.execute(update(leaf).where(leaf.c.place == place).values(leaf=body, hash=leaf_hash(body)))
    return Done(f"leaves {first} and {second} changed places", (f"eaf {first}", "two histories"))


def _back_dated_cosignature(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = log_schema.log_cosignature
    newest = connection.execute(select(table.c.size).where(table.c.name.like("%holder%")).order_by(table.c.size.desc()))
    size = newest.scalars().first()
    row = chance.choice(connection.execute(select(table.c.name, table.c.line).where(table.c.size == size)).all())
    older = connection.execute(
        select(table.c.line).where((table.c.name == row.name) & (table.c.size < size)).limit(1)
    ).scalar_one()
    connection.execute(update(table).where((table.c.size == size) & (table.c.name == row.name)).values(line=older))
    return Done(f"the cosignature of {row.name} was back-dated", (row.name,))


def _resigned_checkpoint(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table, cosigned = log_schema.log_checkpoint, log_schema.log_cosignature
    size = connection.execute(
        select(cosigned.c.size).where(cosigned.c.name.like("%holder%")).order_by(cosigned.c.size.desc()).limit(1)
    ).scalar_one()
    note = connection.execute(select(table.c.note).where(table.c.size == size)).scalar_one()
    lines = note.split("\n")
    root = bytearray(decode_base64(lines[2]))
    root[chance.randrange(len(root))] ^= 1 << chance.randrange(8)
    lines[2] = encode_base64(bytes(root))
    connection.execute(update(table).where(table.c.size == size).values(note="\n".join(lines)))
    return Done(f"the root of the checkpoint of {size} leaves was changed", ("checkpoint",))


def _document(connection: Connection, kind: str) -> tuple[bytes, dict[str, Any]]:
    row = connection.execute(
        select(schema.document.c.hash, schema.document.c.body).where(schema.document.c.type == kind)
    ).first()
    assert row is not None
    return bytes(row.hash), json.loads(row.body)


def _put_document(connection: Connection, name: bytes, signed: dict[str, Any]) -> None:
    table = schema.document
    connection.execute(update(table).where(table.c.hash == name).values(body=json.dumps(signed)))


def _altered_agreement(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    name, signed = _document(connection, "agreement")
    kind = chance.choice(sorted(signed["document"]["kinds"]))
    signed["document"]["kinds"][kind]["weight"] += 1
    _put_document(connection, name, signed)
    return Done(f"the weight of {kind} in the agreement was raised", ("agreement",))


def _raised_budget(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    name, signed = _document(connection, "roster")
    member = chance.choice(signed["document"]["members"])
    family = chance.choice(sorted(member["budgets"]))
    member["budgets"][family] *= 100
    _put_document(connection, name, signed)
    return Done(f"the budget of {member['institution_id']} for {family} was raised", ("oster",))


def _longer_epoch(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    name, signed = _document(connection, "epoch")
    signed["document"]["not_after"] += 86_400 * chance.randrange(1, 100)
    _put_document(connection, name, signed)
    return Done("the epoch was made longer", ("poch",))


def _dropped_signature(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    kind = chance.choice(("agreement", "epoch", "roster"))
    name, signed = _document(connection, kind)
    holder = chance.choice([party for party in signed["signatures"] if party.startswith("holder")])
    signed["signatures"][holder] = pack(_flipped(unpack(signed["signatures"][holder]), chance))
    _put_document(connection, name, signed)
    return Done(f"the signature of {holder} on the {kind} was changed", (kind[1:],))


def _removed_receipt(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = schema.submission
    number = chance.choice(connection.execute(select(table.c.submission)).scalars().all())
    institution = connection.execute(
        select(schema.institution.c.institution_id)
        .join(table, table.c.institution == schema.institution.c.institution)
        .where(table.c.submission == number)
    ).scalar_one()
    connection.execute(
        update(schema.institution).where(schema.institution.c.institution_id == institution).values(last_seq=0)
    )
    connection.execute(update(table).where(table.c.submission == number).values(receipt=None, state=schema.OPEN))
    return Done(f"the receipt of {institution} was removed", ("has lost some", institution))


def _removed_withdrawal(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    connection.execute(delete(schema.withdrawal))
    return Done("a withdrawal was removed", ("withdrawal",))


def _changed_withdrawal(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = schema.withdrawal
    statement = bytearray(connection.execute(select(table.c.statement)).scalars().first() or b"")
    statement[-1 - chance.randrange(16)] ^= 1
    connection.execute(update(table).values(statement=bytes(statement)))
    return Done("the handle in a withdrawal was changed", ("withdrawal",))


def _alerted(connection: Connection, chance: Chance) -> list[Any]:
    """The rows of two records of one raised alert, of different institutions."""
    record, alerted, alert = schema.record, schema.alert_record, schema.alert
    numbers = connection.execute(select(alert.c.alert).where(alert.c.state == schema.RAISED)).scalars().all()
    chosen = chance.choice(sorted(numbers))
    rows = connection.execute(
        select(record.c.record_id, record.c.body)
        .join(alerted, alerted.c.record_id == record.c.record_id)
        .where(alerted.c.alert == chosen)
        .order_by(record.c.record_id)
    ).all()
    return chance.sample(list(rows), 2)


def _put_record(connection: Connection, record_id: int, body: bytes) -> None:
    table = schema.record
    connection.execute(update(table).where(table.c.record_id == record_id).values(body=body))


def _swapped_envelopes(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    first, second = _alerted(connection, chance)
    (one,), (other,) = unpack_records(bytes(first.body)), unpack_records(bytes(second.body))
    swapped = type(one)(one.head, one.salts, one.entries, other.envelope)
    _put_record(connection, first.record_id, pack_records([swapped]))
    return Done("an envelope was swapped for another record's", ("record", "statement"))


def _changed_record(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    first, _ = _alerted(connection, chance)
    (one,) = unpack_records(bytes(first.body))
    part = chance.choice(("head", "salt", "entry", "envelope"))
    place = chance.randrange(len(one.entries))
    head, salts, entries, envelope = one.head, list(one.salts), list(one.entries), one.envelope
    if part == "head":
        head = _flipped(head, chance)
    elif part == "salt":
        salts[place] = _flipped(salts[place], chance)
    elif part == "entry":
        entries[place] = _flipped(entries[place], chance)
    else:
        envelope = _flipped(envelope, chance)
    _put_record(connection, first.record_id, pack_records([type(one)(head, tuple(salts), tuple(entries), envelope)]))
    return Done(f"a bit of a record's {part} was changed", ("record",))


def _flipped(data: bytes, chance: Chance) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _swapped_sealed_secret(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = schema.submission
    rows = connection.execute(select(table.c.submission, table.c.sealed).order_by(table.c.submission)).all()
    one, other = chance.sample(list(rows), 2)
    connection.execute(update(table).where(table.c.submission == one.submission).values(sealed=other.sealed))
    return Done("the sealed secrets of a submission were swapped", ("sealed secrets",))


def _changed_signature(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = schema.submission
    number = chance.choice(connection.execute(select(table.c.submission)).scalars().all())
    signature = connection.execute(select(table.c.signature).where(table.c.submission == number)).scalar_one()
    connection.execute(update(table).where(table.c.submission == number).values(signature=_flipped(signature, chance)))
    return Done("the signature on a statement was changed", ("signature", "statement", "signed"))


def _changed_event(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = log_schema.activity_event
    rows = connection.execute(
        select(table.c.serial, table.c.event, table.c.hour).where(table.c.hour.is_not(None))
    ).all()
    row = chance.choice(list(rows))
    event = json.loads(row.event)
    event["at"] -= chance.randrange(1, 10_000)
    changed = json.dumps(event, sort_keys=True, separators=(",", ":"))
    connection.execute(update(table).where(table.c.serial == row.serial).values(event=changed))
    return Done("an event of the hourly activity was changed", ("activity", "hour"))


def _removed_event(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = log_schema.activity_event
    rows = connection.execute(select(table.c.serial).where(table.c.hour.is_not(None))).scalars().all()
    connection.execute(delete(table).where(table.c.serial == chance.choice(list(rows))))
    return Done("an event of the hourly activity was removed", ("activity", "hour"))


def _changed_commitments(world: TamperWorld, connection: Connection, chance: Chance) -> Done:
    table = log_schema.activity_hour
    row = chance.choice(connection.execute(select(table.c.hour, table.c.commitments)).all())
    connection.execute(
        update(table).where(table.c.hour == row.hour).values(commitments=_flipped(bytes(row.commitments), chance))
    )
    return Done("a commitment of the hourly activity was changed", ("activity", "hour"))


KINDS = (
    Kind("changed leaf", _changed_leaf),
    Kind("changed leaf and hash", _rehashed_leaf),
    Kind("rewritten leaf", _rewritten_leaf, rebuilds=True),
    Kind("dropped decision", _dropped_decision, rebuilds=True),
    Kind("dropped leaf", _dropped_leaf, rebuilds=True),
    Kind("turned decision", _turned_decision, rebuilds=True),
    Kind("raised evaluations", _replaced_evaluations, rebuilds=True),
    Kind("truncated log", _truncated, rebuilds=True),
    Kind("reordered leaves", _reordered, rebuilds=True),
    Kind("back-dated cosignature", _back_dated_cosignature),
    Kind("changed checkpoint", _resigned_checkpoint),
    Kind("altered agreement", _altered_agreement),
    Kind("raised budget", _raised_budget),
    Kind("longer epoch", _longer_epoch),
    Kind("changed signature on a document", _dropped_signature),
    Kind("removed receipt", _removed_receipt),
    Kind("removed withdrawal", _removed_withdrawal),
    Kind("changed withdrawal", _changed_withdrawal),
    Kind("swapped envelope", _swapped_envelopes),
    Kind("changed record", _changed_record),
    Kind("swapped sealed secrets", _swapped_sealed_secret),
    Kind("changed signature on a statement", _changed_signature),
    Kind("changed event", _changed_event),
    Kind("removed event", _removed_event),
    Kind("changed commitments", _changed_commitments),
)
