"""The payload that is sealed is RFC 8785 JSON whatever the values are, and a submission's bytes hold up to a reader."""

from __future__ import annotations

import json
from pathlib import Path

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from clients.institution.seal import close_record, commit_record, content, draw_context, fits
from crypto.envelopes import open_envelope, overlap_secret, recipient_secret
from crypto.records import check_record
from crypto.tags import identifier_input, possession_is_valid
from policies.terms import family_of
from tests.agreement_world import DAY, START, make_world
from tests.sync_parts import Bank, Identifier, PreparedRow

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(TEXT, min_size=1, max_size=4, unique=True), st.dictionaries(TEXT, TEXT, max_size=3), TEXT)
def test_the_content_is_the_rfc_8785_form_of_entries_fields_and_indicators(
    values: list[str], fields: dict[str, str], code: str
) -> None:
    made = content(PreparedRow([Identifier("phone", value) for value in values], fields, [code]))
    entries = [{"kind": "phone", "value": value} for value in sorted(values)]
    assert made.encode() == rfc8785.dumps({"entries": entries, "fields": fields, "indicators": [code]})
    assert made.payload_length == len(made.encode())


def test_a_record_opens_to_its_entries_in_order_and_proves_possession(tmp_path: Path) -> None:
    world = make_world()
    place = Bank.new(world, tmp_path).membership
    made = content(
        PreparedRow([Identifier("phone", "+447900000001"), Identifier("email", "a@b.example")], {"note": "x"})
    )
    assert fits(made, place.padded_size)
    context = draw_context(place, START + DAY)
    outputs = {
        name: world.evaluate(family_of(name[0]), identifier_input(place.epoch_id, *name)) for name in made.identifiers
    }
    committed = commit_record(made, outputs, context, bytes(32), place)
    batch_secret, y_r = bytes(range(32)), world.evaluate("record", committed.ctx)
    record = close_record(committed, batch_secret, y_r, place.padded_size)
    checked = check_record(record)
    assert all(possession_is_valid(entry, committed.ctx) for entry in checked.entries)
    payload = json.loads(
        open_envelope(
            recipient_secret(batch_secret, committed.ctx),
            overlap_secret(y_r),
            committed.ctx,
            record.head,
            record.envelope,
            place.padded_size,
        )
    )
    assert [each["kind"] for each in payload["entries"]] == [entry.kind for entry in checked.entries]
    assert {each["value"] for each in payload["entries"]} == {"+447900000001", "a@b.example"}
    assert payload["fields"] == {"note": "x"}


def test_an_identifier_that_a_row_has_twice_makes_one_entry() -> None:
    made = content(PreparedRow([Identifier("phone", "+447900000001")] * 2))
    assert made.identifiers == (("phone", "+447900000001"),)


def test_neither_contents_nor_committed_records_show_their_values() -> None:
    made = content(PreparedRow([Identifier("phone", "+447900000001")], {"note": "canary"}))
    assert "+44" not in repr(made)
    assert "canary" not in repr(made)
