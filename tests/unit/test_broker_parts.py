"""What the broker refuses about a part before anything of it is stored."""

import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.ingest.parts import Expected, check_part
from crypto import merkle, records, tags
from crypto.envelopes import envelope_length
from crypto.errors import InvalidRecord
from crypto.records import Context, Head, Record, pack_records
from tests.agreement_world import DAY, World, make_world
from tests.brokers import FOUR_GROUPS, NOW, made_up_entry, made_up_record

WORLD = make_world(members=FOUR_GROUPS)
REFERENCE = bytes(range(32))


def expected(count: int = 1, institution_id: str = "bank-a", role: str = "bank") -> Expected:
    trust = WORLD.trust
    return Expected(
        epoch=1,
        institution=1,
        epoch_id=trust.epoch_id,
        institution_id=institution_id,
        role=role,
        sealed_ref=REFERENCE,
        first_record=2**32,
        count=count,
        envelope_length=envelope_length(trust.epoch.padded_size),
        kinds=trust.kinds,
        kind_numbers={name: number for number, name in enumerate(sorted(trust.kinds), 1)},
        record_lifetime=trust.agreement.terms.record_lifetime,
        not_after=trust.epoch.not_after,
        now=NOW,
    )


def context(**changes: object) -> Context:
    values = {
        "epoch_id": WORLD.trust.epoch_id,
        "institution_id": "bank-a",
        "handle": secrets.token_bytes(16),
        "issued_at": NOW,
        "expires_at": NOW + DAY,
    }
    return Context(**{**values, **changes})  # type: ignore[arg-type]


def record(world: World = WORLD, sealed_ref: bytes = REFERENCE, **changes: object) -> Record:
    row = {"phone": "+441", "email": "a@example.org", "address.postal": "x"}
    return made_up_record(world, context(**changes), row, sealed_ref)


def with_entries(encoded: list[bytes]) -> Record:
    salts = tuple(secrets.token_bytes(16) for _ in encoded)
    hashes = tuple(records.entry_hash(salt, entry) for salt, entry in zip(salts, encoded, strict=True))
    head = Head(context(), REFERENCE, hashes).encode()
    return Record(head, salts, tuple(encoded), secrets.token_bytes(envelope_length(1024)))


def test_a_valid_part_gives_its_leaves_root_and_index_entries() -> None:
    made = [record() for _ in range(5)]
    checked = check_part(pack_records(made), 3, expected(5))
    leaves = [one.leaf for one in made]
    assert checked.row.leaves == b"".join(leaves)
    assert checked.row.root == merkle.root(leaves)
    assert checked.row.part == 3
    assert checked.row.earliest_expiry == NOW + DAY
    assert [row[5] for row in checked.records] == [pack_records([one]) for one in made]
    assert [row[1] for row in checked.records] == [2**32 + place for place in range(5)]
    assert len(checked.entries) == 15 * 21


REFUSED: dict[str, Callable[[], Record]] = {
    "another epoch": lambda: record(epoch_id=bytes(32)),
    "another institution": lambda: record(institution_id="bank-b"),
    "another submission's secrets": lambda: record(sealed_ref=bytes(32)),
    "issued in the future": lambda: record(issued_at=NOW + 61, expires_at=NOW + DAY),
    "expired": lambda: record(issued_at=NOW - DAY, expires_at=NOW),
    "expires before its issue": lambda: record(issued_at=NOW + 5, expires_at=NOW + 5),
    "lives longer than agreed": lambda: record(expires_at=NOW + WORLD.trust.agreement.terms.record_lifetime + 1),
    "outlives the epoch": lambda: record(expires_at=WORLD.trust.epoch.not_after + 1),
    "a short envelope": lambda: replace(record(), envelope=bytes(100)),
    "another entry than committed to": lambda: replace(
        record(), entries=tuple(reversed([made_up_entry(WORLD, "phone", str(n), b"").encode() for n in range(3)]))
    ),
    "another salt": lambda: replace(record(), salts=tuple(bytes(16) for _ in range(3))),
    "a kind that is not agreed": lambda: with_entries([tags.Entry("shoe-size", bytes(16)).encode()]),
    "a possession kind without possession": lambda: with_entries([tags.Entry("phone", bytes(16)).encode()]),
    "possession in a support kind": lambda: with_entries(
        [tags.possession_entry("address.postal", bytes(64), context().encode()).encode()]
    ),
    "entries out of order": lambda: with_entries(
        [made_up_entry(WORLD, kind, "1", context().encode()).encode() for kind in ("phone", "email")]
    ),
    "an entry twice": lambda: with_entries([made_up_entry(WORLD, "phone", "1", context().encode()).encode()] * 2),
    "one tag under two possessions": lambda: with_entries(
        [made_up_entry(WORLD, "phone", "1", context().encode()).encode() for _ in range(2)]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_record_that_is_not_as_agreed_is_refused(name: str) -> None:
    with pytest.raises(InvalidRecord, match="record 0 of the part"):
        check_part(pack_records([REFUSED[name]()]), 0, expected())


def test_a_head_longer_than_its_hashes_is_refused() -> None:
    made = record()
    with pytest.raises(InvalidRecord):
        check_part(pack_records([replace(made, head=made.head + b"\x00")]), 0, expected())


def test_the_number_of_records_is_fixed_by_the_statement() -> None:
    made = [record(), record()]
    for count in (1, 3):
        with pytest.raises(InvalidRecord, match="this part must hold"):
            check_part(pack_records(made), 0, expected(count))


def test_one_handle_twice_in_a_part_is_refused() -> None:
    handle = bytes(16)
    with pytest.raises(InvalidRecord, match="one handle"):
        check_part(pack_records([record(handle=handle), record(handle=handle)]), 0, expected(2))


def test_bytes_after_the_last_record_are_refused() -> None:
    with pytest.raises(InvalidRecord):
        check_part(pack_records([record()]) + b"\x00", 0, expected())


def test_a_report_desk_sends_tags_without_possession_and_nothing_else() -> None:
    desk = expected(institution_id="desk-d", role="report-desk")
    own = context(institution_id="desk-d")
    check_part(pack_records([made_up_record(WORLD, own, {"phone": "1", "address.postal": "x"}, REFERENCE)]), 0, desk)
    proven = made_up_entry(WORLD, "email", "1", own.encode())
    with pytest.raises(InvalidRecord, match="may not send"):
        check_part(pack_records([made_up_record(WORLD, own, {}, REFERENCE, entries=[proven])]), 0, desk)
