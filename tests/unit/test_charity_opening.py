"""The charity opens what the rule covers, believes nobody, names who signed what does not fit, and opens the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clients.charity.case_file import CaseFile
from crypto.records import unpack_records
from runtime.exits import ExitCode, UserError
from tests.agreement_world import World, make_world
from tests.charity_world import CharityWorld, changed_byte, make_charity, with_record
from wire.messages.alerts import AlertDetail
from wire.messages.opening import OpeningResponse

ANNA = {"phone": "+4915112345678", "person.name-birthdate": "anna example|1990-02-28"}
ANNA_ELSEWHERE = {"phone": "+4915112345678", "email": "a.example@example.org"}
OTHER = {"phone": "+31612345678"}


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture
def charity(world: World, tmp_path: Path) -> CharityWorld:
    alert = [world.submit("bank-a", [ANNA]), world.submit("bank-b", [ANNA_ELSEWHERE])]
    return make_charity(world, tmp_path / "charity", {"alert-1": alert})


def open_first(charity: CharityWorld) -> CaseFile:
    office = charity.office()
    try:
        return office.open_alerts([next(iter(charity.broker.alert_submissions))])[0]
    finally:
        office.close()


def values(case: CaseFile, institution: str) -> dict[str, str | None]:
    return {
        entry.kind: entry.value
        for record in case.records
        if record.institution_id == institution
        for entry in record.entries
    }


def test_two_groups_that_hold_the_same_phone_number_open_both_records(charity: CharityWorld):
    case = open_first(charity)
    assert case.opened == 2
    assert values(case, "bank-a") == ANNA
    assert values(case, "bank-b") == ANNA_ELSEWHERE
    assert [(pair.kinds, pair.left, pair.right) for pair in case.pairs] == [(("phone",), 0, 1)]
    assert [(match.kind, match.alone, match.records) for match in case.matches] == [("phone", True, (0, 1))]
    assert case.troubles == ()
    assert case.holder_faults == ()


def test_holders_are_shown_only_the_entries_that_count(charity: CharityWorld):
    open_first(charity)
    (request,) = charity.holders[1].asked
    assert [len(record.entries) for record in request.records] == [1, 1]
    assert all(record.entries[0].entry.startswith(b"\x00\x05phone") for record in request.records)


def test_below_the_threshold_nothing_opens_no_holder_is_asked_and_it_says_so(world: World, tmp_path: Path):
    alone = make_charity(world, tmp_path, {"a": [world.submit("bank-a", [ANNA]), world.submit("bank-b", [OTHER])]})
    case = open_first(alone)
    assert case.opened == 0
    assert case.pairs == ()
    assert all("do not support" in record.reasons[0] for record in case.records)
    assert all(entry.value is None for record in case.records for entry in record.entries)
    assert all(holder.asked == [] for holder in alone.holders.values())


def test_one_institution_twice_is_not_two_groups(world: World, tmp_path: Path):
    twice = make_charity(world, tmp_path, {"a": [world.submit("bank-a", [ANNA, ANNA_ELSEWHERE])]})
    assert open_first(twice).opened == 0


def test_another_set_of_holders_takes_over_where_one_is_away(charity: CharityWorld):
    charity.holders[1].away = True
    case = open_first(charity)
    assert case.opened == 2
    assert case.holder_faults == ("Key holder 1: holder1 cannot be reached: no connection.",)
    assert charity.holders[3].asked[-1].holder_set == (2, 3)


def test_a_holder_that_lies_is_named_and_left_out(charity: CharityWorld):
    charity.holders[2].alter = lambda response: replace(response, elements=changed_byte(response.elements, 0))
    case = open_first(charity)
    assert case.opened == 2
    assert case.holder_faults[0].startswith("Key holder 2 gave a wrong answer")


@pytest.mark.parametrize(
    "lie",
    [
        lambda response: replace(response, accepted=(0,), elements=response.elements[:32]),
        lambda response: replace(response, accepted=(0, 1, 2), elements=response.elements + response.elements[:32]),
        lambda response: replace(response, proof=bytes(64)),
        lambda response: replace(response, elements=response.elements[32:] + response.elements[:32]),
        lambda response: replace(response, elements=bytes(64)),
        lambda response: replace(response, elements=b""),
    ],
)
def test_an_answer_that_is_not_what_was_asked_is_a_wrong_answer(charity: CharityWorld, lie):
    charity.holders[1].alter = lie
    case = open_first(charity)
    assert case.opened == 2
    assert "Key holder 1 gave a wrong answer" in case.holder_faults[0]


def test_with_too_few_holders_nothing_opens_and_each_is_quoted(charity: CharityWorld):
    charity.holders[1].away = charity.holders[3].away = True
    case = open_first(charity)
    assert case.opened == 0
    for record in case.records:
        assert record.reasons[0] == "Too few key holders answer."
        assert any("Key holder 1" in reason for reason in record.reasons)
        assert any("Key holder 3" in reason for reason in record.reasons)


def test_a_refusal_by_one_holder_is_overcome_by_another_set(charity: CharityWorld):
    (record,) = charity.broker.alert_submissions["alert-1"][0].records
    handle = _handle(record.head)
    charity.holders[1].withdrawn = frozenset({("bank-a", handle)})
    case = open_first(charity)
    assert case.opened == 2


def test_what_most_holders_refuse_stays_shut_and_they_are_quoted_with_the_reason(charity: CharityWorld):
    (record,) = charity.broker.alert_submissions["alert-1"][0].records
    withdrawn = frozenset({("bank-a", _handle(record.head))})
    for holder in charity.holders.values():
        holder.withdrawn = withdrawn
    case = open_first(charity)
    assert case.opened == 0
    shut = next(record for record in case.records if record.institution_id == "bank-a")
    assert any(reason.startswith("Key holder 1 refused: bank-a has withdrawn") for reason in shut.reasons)


def test_a_record_that_the_broker_changed_is_found_and_the_rest_still_opens(world: World, tmp_path: Path):
    submissions = [
        world.submit("bank-a", [ANNA]),
        world.submit("bank-b", [ANNA_ELSEWHERE]),
        world.submit("police-c", [ANNA]),
    ]
    record = submissions[2].records[0]
    damaged = with_record(submissions[2], 0, replace(record, envelope=changed_byte(record.envelope)))
    charity = make_charity(world, tmp_path, {"a": [submissions[0], submissions[1], damaged]})
    case = open_first(charity)
    assert case.opened == 2
    shut = next(record for record in case.records if record.institution_id == "police-c")
    assert "not under its statement" in shut.reasons[0]


def test_an_envelope_that_does_not_open_is_its_signers_and_the_rest_still_opens(world: World, tmp_path: Path):
    honest = [world.submit("bank-a", [ANNA]), world.submit("bank-b", [ANNA_ELSEWHERE])]
    false = _resign(
        world, world.submit("police-c", [ANNA]), lambda record: replace(record, envelope=changed_byte(record.envelope))
    )
    case = open_first(make_charity(world, tmp_path, {"a": [*honest, false]}))
    assert case.opened == 2
    assert [trouble.signer for trouble in case.troubles] == ["police-c"]
    assert "have been changed" in case.troubles[0].sentence


def test_a_value_that_is_not_its_tags_is_found_and_its_signer_named(world: World, tmp_path: Path):
    honest = [world.submit("bank-a", [ANNA]), world.submit("bank-b", [ANNA_ELSEWHERE])]
    lying = _lying_submission(world, "police-c", {"phone": ANNA["phone"]}, sealed_as={"phone": "+4999999999"})
    case = open_first(make_charity(world, tmp_path, {"a": [*honest, lying]}))
    assert case.opened == 3
    assert {trouble.signer for trouble in case.troubles} == {"police-c"}
    assert "share a phone" in case.troubles[0].sentence


def test_where_two_records_differ_both_signers_are_named(world: World, tmp_path: Path):
    lying = _lying_submission(world, "bank-b", {"phone": ANNA["phone"]}, sealed_as={"phone": "+4999999999"})
    case = open_first(make_charity(world, tmp_path, {"a": [world.submit("bank-a", [ANNA]), lying]}))
    assert case.opened == 2
    assert {trouble.signer for trouble in case.troubles} == {"bank-a", "bank-b"}


def test_swapped_sealed_secrets_are_found(charity: CharityWorld):
    def swap(detail: AlertDetail) -> AlertDetail:
        first, second = detail.statements
        return replace(detail, statements=(replace(first, sealed=second.sealed), second))

    charity.broker.alter = swap
    case = open_first(charity)
    assert case.opened == 0
    assert [trouble.signer for trouble in case.troubles] == ["broker"]


def test_a_statement_signed_by_somebody_else_carries_nothing(charity: CharityWorld):
    def forge(detail: AlertDetail) -> AlertDetail:
        first, second = detail.statements
        return replace(detail, statements=(replace(first, signature=second.signature), second))

    charity.broker.alter = forge
    case = open_first(charity)
    assert case.opened == 0
    reasons = {record.institution_id: record.reasons[0] for record in case.records}
    assert "signature on its statement does not hold" in reasons["bank-a"]


def test_an_alert_in_many_pages_is_whole(world: World, tmp_path: Path):
    rows = [{"email": f"person{number}@example.org", **OTHER} for number in range(7)]
    charity = make_charity(world, tmp_path, {"a": [world.submit("bank-a", rows), world.submit("bank-b", [OTHER])]})
    charity.broker.page_size = 3
    case = open_first(charity)
    assert (len(case.records), case.opened) == (8, 8)


def test_many_alerts_share_requests_and_are_kept_apart(world: World, tmp_path: Path):
    numbers = [f"+4915100000{number}" for number in range(6)]
    left = world.submit("bank-a", [{"phone": number} for number in numbers])
    right = world.submit("bank-b", [{"phone": number} for number in numbers])
    alerts = {f"alert-{n}": [_only(left, n), _only(right, n)] for n in range(6)}
    charity = make_charity(world, tmp_path, alerts)
    office = charity.office()
    cases = office.open_alerts(list(alerts))
    assert [case.opened for case in cases] == [2] * 6
    assert all(values(case, "bank-a") == {"phone": numbers[n]} for n, case in enumerate(cases))
    assert len(charity.holders[1].asked) == 1


def test_an_alert_of_another_epoch_is_refused(charity: CharityWorld):
    charity.broker.alter = lambda detail: replace(detail, epoch_id=bytes(32))
    with pytest.raises(UserError) as caught:
        open_first(charity)
    assert caught.value.exit_code == ExitCode.DOCUMENTS_REFUSED


def test_examining_an_alert_asks_no_holder_and_says_what_would_open(charity: CharityWorld):
    office = charity.office()
    case = office.examine("alert-1")
    assert case.opened == 0
    assert all(record.reasons == ("It has not been asked for yet.",) for record in case.records)
    assert all(holder.asked == [] for holder in charity.holders.values())
    office.open_alerts(["alert-1"])
    assert office.examine("alert-1").opened == 2


def test_a_key_file_without_the_epochs_key_is_one_sentence(charity: CharityWorld):
    ring = charity.ring()
    charity.ring = lambda: ring.without(*[name for name in ring if name.startswith("hpke.")])  # type: ignore[method-assign]
    with pytest.raises(UserError) as caught:
        open_first(charity)
    assert caught.value.exit_code == ExitCode.KEYS


def test_a_case_file_survives_its_stored_form(charity: CharityWorld):
    case = open_first(charity)
    assert CaseFile.from_json(json.loads(json.dumps(case.to_json()))) == case


def _handle(head: bytes) -> bytes:
    from crypto.records import Head

    return Head.decode(head).context.handle


def _resign(world: World, submission, change):
    """The institution itself signs changed records."""
    from crypto import merkle
    from crypto.statements import SubmissionStatement

    records = tuple(change(record) for record in submission.records)
    statement = SubmissionStatement(
        **{name: getattr(submission.statement, name) for name in submission.statement.__slots__ if name != "root"},
        root=merkle.root([record.leaf for record in records]),
    )
    signature = world.parties[statement.institution_id].signing_key.sign(statement.encode())
    return replace(submission, records=records, statement=statement, signature=signature)


def _lying_submission(world: World, institution: str, row: dict[str, str], *, sealed_as: dict[str, str]):
    """A submission whose entries prove `row`, and whose envelope says something else."""
    from crypto import envelopes
    from crypto.records import Context, Head

    submission = world.submit(institution, [row])

    def reseal(record):
        head = Head.decode(record.head)
        ctx = head.context.encode()
        listed = [{"kind": kind, "value": value} for kind, value in sorted(sealed_as.items())]
        payload = json.dumps({"entries": listed, "fields": {}, "indicators": []}, separators=(",", ":")).encode()
        envelope = envelopes.seal_envelope(
            envelopes.recipient_secret(submission.batch_secret, ctx),
            envelopes.overlap_secret(world.evaluate("record", ctx)),
            ctx,
            record.head,
            payload,
            world.trust.epoch.padded_size,
        )
        assert isinstance(head.context, Context)
        return replace(record, envelope=envelope)

    return _resign(world, submission, reseal)


def _only(submission, position: int):
    """The part of a submission that concerns one record."""
    part = replace(submission, records=(submission.records[position],))
    part.__dict__["paths"] = [submission.paths[position]]
    return part


def test_the_stand_ins_pack_records_as_the_wire_does(charity: CharityWorld):
    (page,) = charity.broker.alert("alert-1")
    assert len(unpack_records(page.records[0].record)) == 1
    assert isinstance(OpeningResponse((), b"", b"", ()), OpeningResponse)
