"""Attack 8: the broker changes or swaps any field, 1,000 records: all found.

The desk finds them before any key holder is asked, and no honest institution is blamed; holders that are asked all the
same refuse them.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import pytest

from crypto import records
from crypto.records import Context, Head, Record, pack_records
from crypto.signatures import SigningKey, generate_seed
from crypto.statements import SubmissionStatement
from crypto.tags import Entry, possession_message, sort_entries
from policies.evidence import check_evidence, decide
from policies.opening_rule import Circumstances
from tests.agreement_world import DAY, PURPOSE, START, Submission, World, make_world
from tests.charity_world import NOW, CharityWorld, make_charity
from tests.memory_log import MemoryLog
from wire.messages.alerts import AlertDetail, AlertRecord, AlertStatement
from wire.messages.opening import EvidenceEntry, EvidenceRecord, OpeningRequest, StatementEvidence
from wire.messages.submission import SealedSecretMessage

COUNT = 1000
X = {"phone": "+447700900123", "email": "anna@example.org"}


@dataclass(frozen=True)
class Shown:
    """One record as the broker shows it: all that a recipient gets of it."""

    record: Record
    path: bytes
    statement: AlertStatement

    def with_head(self, **changes: object) -> Shown:
        """The record with fields of its head changed."""
        head = replace(Head.decode(self.record.head), **changes)  # type: ignore[arg-type]
        return replace(self, record=replace(self.record, head=head.encode()))

    def with_context(self, **changes: object) -> Shown:
        """The record with fields of its context changed."""
        return self.with_head(context=replace(self.context, **changes))  # type: ignore[arg-type]

    def with_entry(self, index: int, entry: Entry) -> Shown:
        """The record with another entry, its head mended so that it commits to it."""
        entries = [Entry.decode(each) for each in self.record.entries]
        entries[index] = entry
        ordered = [each.encode() for each in sort_entries(entries)]
        hashes = tuple(map(records.entry_hash, self.record.salts, ordered))
        mended = replace(self, record=replace(self.record, entries=tuple(ordered)))
        return mended.with_head(entry_hashes=hashes)

    def with_statement(self, **changes: object) -> Shown:
        """The record under a statement of which a field is changed, the signature as it was."""
        statement = replace(SubmissionStatement.decode(self.statement.statement), **changes)  # type: ignore[arg-type]
        return replace(self, statement=replace(self.statement, statement=statement.encode()))

    def with_sealed(self, **changes: object) -> Shown:
        """The record with a field of its sealed secret changed."""
        (sealed,) = self.statement.sealed
        return replace(self, statement=replace(self.statement, sealed=(replace(sealed, **changes),)))  # type: ignore[arg-type]

    @property
    def context(self) -> Context:
        """The record's context."""
        return Head.decode(self.record.head).context


Change = Callable[[Shown, Shown], Shown]
"""What the broker makes of a record, given another record to swap with."""


def flipped(data: bytes) -> bytes:
    """`data` with one bit flipped, anywhere."""
    place = secrets.randbelow(len(data))
    changed = bytearray(data)
    changed[place] ^= 1 << secrets.randbelow(8)
    return bytes(changed)


def own_possession(shown: Shown) -> Entry:
    """An entry of the same kind that the broker itself can prove: of a key of its own."""
    key = SigningKey(generate_seed())
    first = Entry.decode(shown.record.entries[0])
    signature = key.sign(possession_message(shown.context.encode(), first.kind))
    return replace(first, public_key=key.public_key, possession=signature)


def swap_record_part(name: str) -> Change:
    return lambda shown, other: replace(shown, record=replace(shown.record, **{name: getattr(other.record, name)}))


def change_first(items: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (flipped(items[0]), *items[1:])


CHANGES: dict[str, Change] = {
    "head, any bit": lambda one, _: replace(one, record=replace(one.record, head=flipped(one.record.head))),
    "epoch": lambda one, _: one.with_context(epoch_id=secrets.token_bytes(32)),
    "institution": lambda one, _: one.with_context(institution_id="police-c"),
    "handle": lambda one, _: one.with_context(handle=secrets.token_bytes(16)),
    "issued_at": lambda one, _: one.with_context(issued_at=one.context.issued_at - 1),
    "expires_at": lambda one, _: one.with_context(expires_at=one.context.expires_at + DAY),
    "sealed_ref": lambda one, _: one.with_head(sealed_ref=secrets.token_bytes(32)),
    "entry hash": lambda one, _: one.with_head(entry_hashes=change_first(Head.decode(one.record.head).entry_hashes)),
    "entries left out": lambda one, _: replace(
        one, record=replace(one.record, salts=one.record.salts[:1], entries=one.record.entries[:1])
    ),
    "entry left out, head mended": lambda one, _: replace(
        one, record=replace(one.record, salts=one.record.salts[:1], entries=one.record.entries[:1])
    ).with_head(entry_hashes=Head.decode(one.record.head).entry_hashes[:1]),
    "salt": lambda one, _: replace(one, record=replace(one.record, salts=change_first(one.record.salts))),
    "entry, any bit": lambda one, _: replace(one, record=replace(one.record, entries=change_first(one.record.entries))),
    "possession, head mended": lambda one, _: one.with_entry(
        0, replace(Entry.decode(one.record.entries[0]), possession=secrets.token_bytes(64))
    ),
    "possession of the broker's own, head mended": lambda one, _: one.with_entry(0, own_possession(one)),
    "envelope, any bit": lambda one, _: replace(one, record=replace(one.record, envelope=flipped(one.record.envelope))),
    "envelope cut short": lambda one, _: replace(one, record=replace(one.record, envelope=one.record.envelope[:-1])),
    "path's index": lambda one, _: replace(one, path=flipped(one.path[:4]) + one.path[4:]),
    "path's count": lambda one, _: replace(one, path=one.path[:4] + flipped(one.path[4:8]) + one.path[8:]),
    "path's nodes": lambda one, _: replace(one, path=one.path[:8] + flipped(one.path[8:])),
    "statement, any bit": lambda one, _: replace(
        one, statement=replace(one.statement, statement=flipped(one.statement.statement))
    ),
    "statement's epoch": lambda one, _: one.with_statement(epoch_id=secrets.token_bytes(32)),
    "statement's institution": lambda one, _: one.with_statement(institution_id="police-c"),
    "statement's seq": lambda one, _: one.with_statement(seq=2),
    "statement's idempotency key": lambda one, _: one.with_statement(idempotency_key=secrets.token_bytes(16)),
    "statement's count": lambda one, _: one.with_statement(count=1),
    "statement's root": lambda one, _: one.with_statement(root=one.record.leaf),
    "statement's signature": lambda one, _: replace(
        one, statement=replace(one.statement, signature=flipped(one.statement.signature))
    ),
    "sealed secret": lambda one, _: one.with_sealed(ciphertext=secrets.token_bytes(48)),
    "encapsulated key": lambda one, _: one.with_sealed(enc=secrets.token_bytes(1120)),
    "recipient": lambda one, _: one.with_sealed(recipient_id="charity-b"),
    "recipient's key": lambda one, _: one.with_sealed(key_id=secrets.token_bytes(8)),
    "sealed secrets left out": lambda one, _: replace(one, statement=replace(one.statement, sealed=())),
    "heads swapped": swap_record_part("head"),
    "salts swapped": swap_record_part("salts"),
    "entries swapped": swap_record_part("entries"),
    "envelopes swapped": swap_record_part("envelope"),
    "records swapped": lambda one, other: replace(one, record=other.record),
    "paths swapped": lambda one, other: replace(one, path=other.path),
    "statements swapped with another institution's": lambda one, other: replace(one, statement=OTHER_STATEMENTS[0]),
}
OTHER_STATEMENTS: list[AlertStatement] = []
PLACES = {"bank-b": 0, "police-c": 1, "bank-a": 2}
"""Where the log has the submission of each."""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def honest(world: World) -> list[Submission]:
    """Two honest records of x, whom every one of bank-a's supports; then bank-a's own."""
    return [world.submit("bank-b", [X]), world.submit("police-c", [X]), world.submit("bank-a", [X] * COUNT)]


def shown_by(submission: Submission) -> list[Shown]:
    sealed = tuple(
        SealedSecretMessage(each.recipient_id, each.key_id, each.enc, each.ciphertext) for each in submission.sealed
    )
    statement = AlertStatement(
        submission.statement.encode(),
        submission.signature,
        submission.statement.institution_id,
        sealed,
        logged_at=START + DAY,
        log_index=PLACES[submission.statement.institution_id],
    )
    return [Shown(record, path, statement) for record, path in zip(submission.records, submission.paths, strict=True)]


def changed_by_the_broker(submission: Submission) -> Iterator[tuple[str, Shown]]:
    """Each record with one change, all changes in turn; a record is swapped with its neighbour's."""
    shown = shown_by(submission)
    for number, (one, name) in enumerate(zip(shown, islice(cycle(CHANGES), len(shown)), strict=True)):
        changed = CHANGES[name](one, shown[number - 1])
        assert changed != one, name
        yield name, changed


def serve(charity: CharityWorld, shown: list[Shown]) -> None:
    """Have the broker show these records as the alert's."""
    statements = list(dict.fromkeys(one.statement for one in shown))
    places = {statement: place for place, statement in enumerate(statements)}

    def alert(alert_id: str) -> list[AlertDetail]:
        return [
            AlertDetail(
                alert_id=alert_id,
                epoch_id=charity.world.trust.epoch_id,
                raised_at=NOW,
                changed_at=NOW,
                total=len(shown),
                offset=start,
                statements=tuple(statements),
                records=tuple(
                    AlertRecord(pack(one.record), one.path, places[one.statement]) for one in shown[start : start + 512]
                ),
            )
            for start in range(0, len(shown), 512)
        ]

    charity.broker.alert = alert  # type: ignore[method-assign]


def pack(record: Record) -> bytes:
    """The record's packed form, or what a broker would send that cannot even pack it."""
    try:
        return pack_records([record])
    except records.InvalidRecord:
        return b"\x00\x01" + record.head[:1]


def test_a_thousand_records_that_the_broker_changed_are_all_found_and_blamed_on_no_honest_signer(
    world: World, honest: list[Submission], tmp_path: Path
) -> None:
    charity = make_charity(world, tmp_path, {"alert": honest})
    OTHER_STATEMENTS[:] = [shown_by(honest[0])[0].statement]
    changed = dict(enumerate(changed_by_the_broker(honest[2])))
    # Among the changed ones stand their true copies' two honest companions, which open all the same.
    companions = [*shown_by(honest[0]), *shown_by(honest[1])]
    serve(charity, [*companions, *(shown for _, shown in changed.values())])
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    office.close()
    assert {record.institution_id for record in case.records if record.is_open} == {"bank-b", "police-c"}
    assert {entry.value for record in case.records if record.is_open for entry in record.entries} == set(X.values())
    # Every changed one is either named as the broker's, or stands there shut with its reason.
    shut = [record for record in case.records if not record.is_open]
    assert all(record.reasons for record in shut)
    assert {trouble.signer for trouble in case.troubles} == {"broker"}
    assert len(changed) == COUNT
    assert len(case.troubles) + len(shut) >= COUNT
    assert Counter(name for name, _ in changed.values()).keys() == CHANGES.keys()
    # No holder was asked to open a changed one.
    names = {record.head for shown in companions for record in [shown.record]}
    for holder in charity.holders.values():
        for request in holder.asked:
            assert {request.records[place].head for place in request.open} <= names


def test_unchanged_every_one_of_them_would_open(world: World, honest: list[Submission], tmp_path: Path) -> None:
    charity = make_charity(world, tmp_path, {"alert": honest})
    shown = [shown for submission in honest for shown in shown_by(submission)]
    serve(charity, shown)
    office = charity.office()
    (case,) = office.open_alerts(["alert"])
    office.close()
    assert (case.opened, case.troubles) == (COUNT + 2, ())


def test_a_changed_copy_shown_beside_the_true_record_takes_neither_its_place_nor_its_name(
    world: World, honest: list[Submission], tmp_path: Path
) -> None:
    companion, true = shown_by(honest[0])[0], shown_by(honest[2])[0]
    for number, change in enumerate(("envelope, any bit", "possession, head mended", "path's nodes")):
        copy = CHANGES[change](true, true)
        for order in ([copy, true, companion], [true, copy, companion]):
            charity = make_charity(world, tmp_path / f"{number}{order.index(copy)}", {"alert": honest})
            serve(charity, order)
            office = charity.office()
            (case,) = office.open_alerts(["alert"])
            office.close()
            assert {record.institution_id for record in case.records if record.is_open} == {"bank-a", "bank-b"}
            assert {trouble.signer for trouble in case.troubles} <= {"broker"}


def test_holders_refuse_the_changed_ones_whatever_a_recipient_asks(world: World, honest: list[Submission]) -> None:
    OTHER_STATEMENTS[:] = [shown_by(honest[0])[0].statement]
    trust = world.trust
    circumstances = Circumstances(trust.rule, trust.kinds, trust.groups, frozenset(), frozenset(), NOW)
    # A holder sees no sealed secret, and of a record only the entries that count: those are the recipient's to check.
    unseen = {"sealed secret", "encapsulated key", "recipient", "recipient's key", "sealed secrets left out"}
    unseen |= {"entries left out"}
    log = world.log(honest)
    checkpoint = log.cosign(NOW)
    for name, one in changed_by_the_broker(honest[2]):
        if name in unseen:
            continue
        shown = [shown_by(honest[0])[0], one]
        request = OpeningRequest(
            epoch_id=trust.epoch_id,
            roster_version=1,
            share_version=1,
            holder_set=(1, 2),
            purpose=PURPOSE,
            checkpoint=checkpoint,
            statements=tuple(logged(each.statement, log) for each in shown),
            records=tuple(evidence(each, place) for place, each in enumerate(shown)),
            open=(1,),
        )
        decision = decide(check_evidence(request, trust, NOW), request.open, circumstances)
        assert (decision.accepted, set(decision.refused)) == ((), {1}), name


def logged(statement: AlertStatement, log: MemoryLog) -> StatementEvidence:
    place = statement.log_index
    assert place is not None
    path = b"".join(log.path(place))
    return StatementEvidence(statement.statement, statement.signature, statement.logged_at, place, path)


def evidence(shown: Shown, place: int) -> EvidenceRecord:
    entries = tuple(
        EvidenceEntry(index, salt, entry)
        for index, (salt, entry) in enumerate(zip(shown.record.salts, shown.record.entries, strict=False))
    )
    return EvidenceRecord(shown.record.head, shown.record.envelope_hash, shown.path, place, entries)
