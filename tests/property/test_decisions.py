"""Laws of decisions: the same question has the same answer, a record replays, and nothing unknown is ever answered."""

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.decisions.actions import ACTIONS
from policies.decisions.decide import decide, decide_many
from policies.decisions.question import UNLISTED, Question, QuestionRefused
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay, replay_many
from policies.decisions.rules import FactForm, current_rules
from policies.errors import DocumentRefused
from tests.decision_world import END, START, make_agreement

AGREEMENT = make_agreement()
WORDS = ["phone", "email", "note", "record_id", "cash-only", "trafficking", "statistics", "bank", "police", "charity"]
words = st.sampled_from(WORDS) | st.text(max_size=12).filter(lambda text: text.isascii())
numbers = st.sampled_from([0, 1, 5, 100, 200, 600, 3_600, 86_400, 90_000, 2**53 - 1]) | st.integers(0, 2**53 - 1)


def fact(form: FactForm) -> st.SearchStrategy[Any]:
    return {
        "number": numbers,
        "yes or no": st.booleans(),
        "word": words,
        "words": st.lists(words, max_size=4).map(tuple),
    }[form.type]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    action = draw(st.sampled_from(sorted(ACTIONS)))
    forms = current_rules().facts[action]
    facts = {name: draw(fact(form)) for name, form in forms.items() if not form.optional or draw(st.booleans())}
    role = draw(st.sampled_from(["institution", "recipient", "holder", "broker", "auditor", "anybody"]))
    party = draw(st.sampled_from(["bank-a", "police-a", "charity", "holder1", "broker", "regulator", "anybody", "x.y"]))
    return Question(action, party, role, draw(st.sampled_from([0, START - 1, START, END - 1, END])), facts)


@given(questions())
def test_the_same_question_has_the_same_answer_alone_and_among_others(asked: Question) -> None:
    once = decide(asked, AGREEMENT)
    assert decide(asked, AGREEMENT) == once
    others = [replace(asked, at=START), asked, replace(asked, at=END)]
    assert decide_many(others, AGREEMENT)[1] == once


@given(questions())
def test_a_record_survives_its_document_and_replays_to_itself(asked: Question) -> None:
    record = decide(asked, AGREEMENT)
    again = DecisionRecord.from_document(json.loads(rfc8785.dumps(record.to_document())))
    assert again == record
    assert replay(again, AGREEMENT) == record
    assert [replayed.trouble for replayed in replay_many([again], {AGREEMENT.hash: AGREEMENT})] == [""]


@given(questions())
def test_a_record_holds_no_word_that_the_agreement_does_not_have(asked: Question) -> None:
    record = decide(asked, AGREEMENT)
    assert record.question.words <= {*WORDS, "shared-address", "bank-a", "police-a", "observer", UNLISTED}
    # And what is left out changes no answer.
    assert decide(record.question, AGREEMENT) == record


@given(questions())
def test_an_allowed_question_is_within_the_matrix(asked: Question) -> None:
    if decide(asked, AGREEMENT).allowed:
        assert ACTIONS[asked.action].roles & {asked.role, "anybody"}


@given(questions(), st.text(st.characters(codec="ascii"), min_size=1, max_size=12), numbers)
def test_a_fact_that_the_action_does_not_have_is_refused_loudly(asked: Question, name: str, value: int) -> None:
    if name in current_rules().facts[asked.action]:
        return
    with pytest.raises(QuestionRefused):
        decide(replace(asked, facts={**asked.facts, name: value}), AGREEMENT)


@given(questions(), st.data())
def test_a_missing_fact_and_one_of_another_type_are_refused_loudly(asked: Question, data: st.DataObject) -> None:
    forms = {name: form for name, form in current_rules().facts[asked.action].items() if not form.optional}
    if not forms:
        return
    name = data.draw(st.sampled_from(sorted(forms)))
    without = {other: value for other, value in asked.facts.items() if other != name}
    wrong: Any = data.draw(st.sampled_from([1, True, "phone", ("phone",)]))
    kinds = {int: "number", bool: "yes or no", str: "word", tuple: "words"}
    with pytest.raises(QuestionRefused):
        decide(replace(asked, facts=without), AGREEMENT)
    if kinds[type(wrong)] != forms[name].type:
        with pytest.raises(QuestionRefused):
            decide(replace(asked, facts={**without, name: wrong}), AGREEMENT)


@given(st.text(max_size=30))
def test_an_unknown_action_or_role_is_refused_loudly(name: str) -> None:
    if name not in ACTIONS:
        with pytest.raises(QuestionRefused):
            Question(name, "bank-a", "institution", START)
    with pytest.raises(QuestionRefused):
        decide(Question("read-log", "bank-a", f"x{name}", START), AGREEMENT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    questions(),
    st.sampled_from(sorted(decide(Question("read-log", "x", "anybody", 0), AGREEMENT).to_document())),
    json_values,
)
def test_any_member_of_a_record_may_be_replaced_by_anything_and_is_read_or_refused(
    asked: Question, member: str, value: Any
) -> None:
    document = {**decide(asked, AGREEMENT).to_document(), member: value}
    try:
        record = DecisionRecord.from_document(document)
    except DocumentRefused:
        return
    assert record.to_document() == document
    list(replay_many([record], {AGREEMENT.hash: AGREEMENT}))
