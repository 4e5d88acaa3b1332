"""Decision records: replayed and compared, refused where they are none, told to whoever asked without their facts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.decisions.decide import decide
from policies.decisions.decision_files import read_decision, read_decisions
from policies.decisions.question import UNLISTED, Question, QuestionRefused
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import NotAllowed, refusal, require, rule_on, standing
from policies.decisions.replay import BATCH, replay, replay_many
from policies.errors import DocumentRefused
from tests.decision_world import NOW, changed, make_agreement, question
from wire.access import Caller

AGREEMENT = make_agreement()
OTHER = make_agreement(openings_per_day=3)
SEND = question("send-records", "institution")
NAMED = "Maria Petrova"


def test_a_word_that_the_agreement_does_not_have_is_not_in_the_record() -> None:
    record = decide(changed(SEND, indicators=("cash-only", NAMED)), AGREEMENT)
    assert record.rules == ("indicator-not-agreed",)
    assert record.question.facts["indicators"] == (UNLISTED, "cash-only")
    assert NAMED not in json.dumps(record.to_document())
    assert NAMED not in json.dumps(refusal(record).document())
    assert replay(record, AGREEMENT) == record


def test_a_replay_under_another_agreement_is_refused() -> None:
    with pytest.raises(DocumentRefused, match="not this one"):
        replay(decide(SEND, AGREEMENT), OTHER)


def tampered(record: DecisionRecord, **changes: Any) -> DecisionRecord:
    return replace(record, **changes)


def test_each_way_of_altering_a_record_is_named_when_many_are_replayed() -> None:
    allowed = decide(SEND, AGREEMENT)
    refused = decide(changed(SEND, lifetime=100_000), AGREEMENT)
    unaskable = Question("send-records", "bank-a", "institution", NOW, {"suspended": False})
    records = [
        allowed,
        tampered(allowed, allowed=False),
        tampered(refused, allowed=True),
        tampered(refused, rules=("kind-not-agreed", "record-lives-too-long")),
        tampered(allowed, question=changed(SEND, at=NOW * 2)),
        tampered(allowed, agreement_hash=bytes(32)),
        tampered(allowed, rules_hash=bytes(32)),
        tampered(allowed, question=unaskable),
        tampered(refused, question=changed(refused.question, kinds=("phone", "passport"))),
        refused,
    ]
    troubles = [each.trouble for each in replay_many(records, {AGREEMENT.hash: AGREEMENT, OTHER.hash: OTHER})]
    assert [bool(trouble) for trouble in troubles] == [False, *[True] * 8, False]
    assert troubles[1] == "It says refused, but the rules say allowed."
    assert "kind-not-agreed" in troubles[3]
    assert "No agreement 0000" in troubles[5]
    assert "no rules with the hash" in troubles[6]
    assert "cannot be asked" in troubles[7]


def test_replaying_keeps_the_order_over_batches_and_agreements() -> None:
    records = [
        decide(changed(SEND, lifetime=1 + number), (AGREEMENT, OTHER)[number % 3 == 0]) for number in range(BATCH + 300)
    ]
    replayed = list(replay_many(iter(records), {AGREEMENT.hash: AGREEMENT, OTHER.hash: OTHER}))
    assert [each.record for each in replayed] == records
    assert [each.again for each in replayed] == records


def test_a_refusal_names_its_rules_and_a_spent_budget_is_another_problem() -> None:
    spent = decide(question("evaluate-identifiers", "institution", charged=200), AGREEMENT)
    problem = refusal(spent)
    assert (problem.status, problem.type_suffix) == (429, "budget-spent")
    assert problem.document()["rules"] == ["evaluation-budget-spent"]
    both = decide(question("evaluate-identifiers", "institution", charged=200, suspended=True), AGREEMENT)
    assert (refusal(both).status, refusal(both).type_suffix) == (403, "not-allowed")
    nobody = decide(question("read-overview", "auditor"), AGREEMENT)
    assert refusal(nobody).document()["rules"] == []
    assert refusal(nobody).detail == "No rule lets the role auditor read what the database holds."


def test_a_service_rules_by_the_callers_standing() -> None:
    caller = Caller("bank-a", "institution", bytes(32))
    good = rule_on(caller, "read-own-status", AGREEMENT, NOW, standing("bank-a", ("charity",), ()))
    assert good.refusal is None
    assert isinstance(good.decision, DecisionRecord)
    bad = rule_on(caller, "read-own-status", AGREEMENT, NOW, standing("bank-a", ("bank-a",), ()))
    assert bad.refusal is not None
    assert bad.refusal.document()["rules"] == ["party-suspended"]


def test_a_party_s_own_program_stops_at_what_is_not_allowed() -> None:
    assert require(decide(SEND, AGREEMENT)).allowed
    with pytest.raises(NotAllowed, match="retention of records"):
        require(decide(changed(SEND, lifetime=90_001), AGREEMENT))


@pytest.mark.parametrize(
    "facts",
    [
        {"lifetime": -1},
        {"lifetime": 2**53},
        {"lifetime": 1.5},
        {"kinds": ("x" * 65,)},
        {"kinds": (1,)},
        {"kinds": None},
    ],
)
def test_facts_that_are_none_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(QuestionRefused):
        changed(SEND, **facts)


def test_records_are_read_from_files_a_line_each_or_within_their_leaves(tmp_path: Path) -> None:
    record = decide(SEND, AGREEMENT)
    document = record.to_document()
    leaf = {"type": "crosslight/v1 leaf decision", "at": NOW, "decision": document}
    file = tmp_path / "decisions.jsonl"
    file.write_text(f"{json.dumps(document)}\n\n{json.dumps(leaf)}\n")
    assert list(read_decisions(file)) == [record, record]
    file.write_text(json.dumps(document, indent=1))
    assert read_decision(file) == record
    for text, words in (("{}", "line 2, is refused"), ("[]", "no decision record"), ("nonsense", "line 2,")):
        file.write_text(f"{json.dumps(document)}\n{text}\n")
        with pytest.raises(DocumentRefused, match=words):
            list(read_decisions(file))
