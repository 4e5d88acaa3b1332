"""The Cedar rules: valid under their schema, each with an id and plain words, and each of them bites."""

import shutil
from pathlib import Path

import pytest
from cedarpy import validate_policies

from policies.decisions import rules
from policies.decisions.decide import decide
from policies.decisions.question import Question
from policies.decisions.replay import replay
from policies.decisions.rules import SCHEMA_FILE, UnknownRules, current_rules, read_rules, rules_hash, rules_of
from tests.decision_world import END, START, changed, make_agreement, question
from tests.project_files import ROOT
from tests.rule_table import rule_table, shown

FOLDER = ROOT / "policies/rules"


def test_the_rules_are_valid_under_the_schema() -> None:
    rules = current_rules()
    result = validate_policies(rules.source, rules.schema_source)
    assert [str(error) for error in result.errors] == []
    assert result.validation_passed


def test_every_rule_says_in_plain_words_what_it_means_and_a_forbid_what_would_have_to_change() -> None:
    for rule in current_rules().rules.values():
        assert rule.sentence[0].isupper()
        assert rule.sentence.endswith(".")
        assert bool(rule.remedy) == (rule.effect == "forbid"), rule.rule_id
        assert rule.text.startswith(f'@id("{rule.rule_id}")')
        assert rule.text.endswith(";")
        assert rule.text.count("@id(") == 1


def test_the_hash_covers_every_byte_of_every_file_and_its_name() -> None:
    sources = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.is_file()}
    assert rules_hash(sources) == current_rules().hash
    for name, text in sources.items():
        assert rules_hash({**sources, name: text + " "}) != current_rules().hash
    assert rules_hash({f"a-{name}": text for name, text in sources.items()}) != current_rules().hash


def write_rules(folder: Path, policy: str) -> Path:
    (folder / SCHEMA_FILE).write_text((FOLDER / SCHEMA_FILE).read_text("utf-8"), "utf-8")
    (folder / "some.cedar").write_text(policy, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("permit (principal, action, resource);", "lacks @id"),
        ('@id("a") permit (principal, action, resource);', "lacks @sentence"),
        ('@id("a") @sentence("A.") forbid (principal, action, resource);', "lacks @remedy"),
        ('@id("a") @sentence("A.") permit (principal, action, resource);\n\n' * 2, "two rules have the id a"),
        ('@sentence("A.") @id("a") permit (principal, action, resource);', "does not begin with its @id"),
    ],
)
def test_rules_that_are_not_written_as_rules_must_be_are_refused(tmp_path: Path, policy: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_rules(write_rules(tmp_path, policy))


def test_rules_of_another_hash_are_unknown_unless_they_were_retired_here() -> None:
    assert rules_of(current_rules().hash) is current_rules()
    with pytest.raises(UnknownRules, match="no rules with the hash"):
        rules_of(bytes(32))


SEND = question("send-records", "institution")
OPEN = question("open-records", "recipient")
ASK = question("request-fields", "institution")
EDGES: dict[str, tuple[Question, Question]] = {
    "party-not-in-agreement": (SEND, changed(SEND, party_id="bank-z")),
    "party-suspended": (SEND, changed(SEND, suspended=True)),
    "party-departed": (SEND, changed(SEND, departed=True)),
    "before-start": (changed(SEND, at=START), changed(SEND, at=START - 1)),
    "after-end": (changed(SEND, at=END - 1), changed(SEND, at=END)),
    "mode-not-provide": (
        question("submit-records", "institution"),
        question("submit-records", "institution", party_id="police-a"),
    ),
    "kind-not-agreed": (changed(SEND, kinds=("email", "phone")), changed(SEND, kinds=("phone", "passport"))),
    "field-not-agreed": (changed(SEND, fields=()), changed(SEND, fields=("note", "salary"))),
    "indicator-not-agreed": (SEND, changed(SEND, indicators=("cash-only", "tattoo"))),
    "gate-not-met": (changed(SEND, indicators=("cash-only",)), changed(SEND, indicators=("shared-address",))),
    "record-lives-too-long": (SEND, changed(SEND, lifetime=90_001)),
    "evaluation-budget-spent": (
        question("evaluate-identifiers", "institution"),
        question("evaluate-identifiers", "institution", charged=86),
    ),
    "records-of-today-spent": (
        question("evaluate-record-secrets", "institution"),
        question("evaluate-record-secrets", "institution", records_today=51),
    ),
    "openings-of-today-spent": (OPEN, changed(OPEN, opened_today=6)),
    "mode-not-request": (
        question("list-alerts", "recipient"),
        question("list-alerts", "recipient", party_id="observer"),
    ),
    "purpose-not-agreed": (OPEN, changed(OPEN, purpose="statistics")),
    "evidence-not-logged": (OPEN, changed(OPEN, logged=False)),
    "checkpoint-too-old": (OPEN, changed(OPEN, checkpoint_age=86_401)),
    "withdrawals-not-followed": (OPEN, changed(OPEN, followed_age=3_601)),
    "sealed-field-not-agreed": (
        question("read-opened-record", "recipient"),
        question("read-opened-record", "recipient", fields=("salary",)),
    ),
    "sealed-indicator-not-agreed": (
        question("read-opened-record", "recipient"),
        question("read-opened-record", "recipient", of_role="police", fields=()),
    ),
    "retention-over": (question("export-case", "recipient"), question("export-case", "recipient", opened_age=601)),
    "institution-asks-for-no-agreed-purpose": (ASK, changed(ASK, purpose="gossip")),
    "field-request-not-agreed": (
        question("request-fields", "recipient"),
        question("request-fields", "recipient", fields=("record_id",)),
    ),
    "asking-would-reveal": (
        question("request-fields", "recipient"),
        question("request-fields", "recipient", of_role="police"),
    ),
    "answer-not-agreed": (
        question("answer-field-request", "institution"),
        question("answer-field-request", "institution", fields=("record_id",)),
    ),
    "approvals-missing": (
        question("answer-field-request", "institution"),
        question("answer-field-request", "institution", approvals=1),
    ),
}
"""For every forbid: a question just inside, and one just outside, which differ in nothing else."""


def test_every_forbid_has_a_pair_of_questions_at_its_edge() -> None:
    assert set(EDGES) == {rule.rule_id for rule in current_rules().rules.values() if rule.effect == "forbid"}


@pytest.mark.parametrize("rule_id", sorted(EDGES))
def test_a_forbid_refuses_what_lies_just_outside_and_nothing_inside(rule_id: str) -> None:
    agreement = make_agreement()
    inside, outside = EDGES[rule_id]
    allowed, refused = decide(inside, agreement), decide(outside, agreement)
    assert allowed.allowed
    assert all(current_rules().rules[rule].effect == "permit" for rule in allowed.rules)
    assert not refused.allowed
    assert refused.rules == (rule_id,)


def test_a_suspended_institution_may_still_take_records_back() -> None:
    agreement = make_agreement()
    assert decide(question("withdraw-records", "institution", suspended=True), agreement).allowed
    assert decide(question("bring-document", "institution", suspended=True, departed=True), agreement).allowed


def test_what_the_agreement_ended_for_is_over_but_looking_and_taking_back_is_not() -> None:
    agreement = make_agreement()
    for action, role in (("withdraw-records", "institution"), ("find-leaf", "auditor"), ("bring-document", "holder")):
        assert decide(question(action, role, at=END + 1), agreement).allowed


def test_a_party_in_a_role_that_is_not_its_own_is_a_stranger() -> None:
    record = decide(question("open-records", "recipient", party_id="bank-a"), make_agreement())
    assert not record.allowed
    assert "party-not-in-agreement" in record.rules


def test_the_page_about_rules_lists_every_rule_in_its_own_words() -> None:
    assert shown() == rule_table()


def test_a_decision_by_retired_rules_is_replayed_by_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = make_agreement()
    old = shutil.copytree(FOLDER, tmp_path / rules.RETIRED / "first")
    text = (old / "sending.cedar").read_text("utf-8")
    (old / "sending.cedar").write_text(text.replace("context.lifetime >", "context.lifetime >="), "utf-8")
    strict = read_rules(old)
    record = decide(SEND, agreement, strict)
    assert record.rules == ("record-lives-too-long",)
    with pytest.raises(UnknownRules):
        replay(record, agreement)
    monkeypatch.setattr(rules, "_folder", lambda: tmp_path)
    rules._retired_rules.cache_clear()
    try:
        assert replay(record, agreement) == record
    finally:
        rules._retired_rules.cache_clear()
    assert decide(SEND, agreement).allowed
