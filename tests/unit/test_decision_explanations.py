"""Why something is allowed or refused, in words; and what another agreement would have changed."""

from dataclasses import replace

import pytest

from policies.decisions.decide import decide
from policies.decisions.explain import explain
from policies.decisions.simulate import NOTHING_PERMITS, simulate
from policies.opening_rule import KindPolicy
from tests.decision_world import END, changed, make_agreement, question
from tests.unit.test_decision_rules import EDGES

AGREEMENT = make_agreement()
SEND = question("send-records", "institution")


@pytest.mark.parametrize("rule_id", sorted(EDGES))
def test_every_refusal_says_its_rule_what_it_compared_and_what_would_have_to_change(rule_id: str) -> None:
    explained = explain(EDGES[rule_id][1], AGREEMENT)
    (reason,) = explained.reasons
    assert not explained.allowed
    assert reason.rule.rule_id == rule_id
    assert explained.needed == (reason.rule.remedy,)
    # Whoever is not in the agreement is compared with nothing.
    assert reason.compared or rule_id == "party-not-in-agreement"
    text = explained.to_text()
    for part in (explained.headline, reason.rule.sentence, *reason.compared, reason.rule.remedy):
        assert part in text


@pytest.mark.parametrize(
    ("rule_id", "sentence"),
    [
        ("kind-not-agreed", "Kinds: passport is not among the agreement's kinds (email, phone)."),
        ("field-not-agreed", "Fields: salary is not among the agreement's fields for bank (note, record_id)."),
        ("gate-not-met", "Of the agreement's gates for bank (cash-only), none is among indicators (shared-address)."),
        ("after-end", "At (1970-01-24 03:33 UTC) is not before the agreement's end (1970-01-24 03:33 UTC)."),
        ("record-lives-too-long", "Lifetime (90001) is more than the agreement's retention records (90000)."),
        (
            "evaluation-budget-spent",
            "Charged and elements together (186) is not at most the party's budgets for phone (185).",
        ),
        ("evidence-not-logged", "Logged is no."),
        ("party-suspended", "Suspended is yes."),
        ("purpose-not-agreed", "Purpose: statistics is not among the party's purposes (trafficking)."),
        ("mode-not-request", "What is needed: request is not among the party's modes (watch)."),
        ("approvals-missing", "Approvals (1) is less than the party's approvals for charity (2)."),
        ("sealed-indicator-not-agreed", "The agreement's indicators say nothing about police."),
    ],
)
def test_an_explanation_names_the_values_at_hand(rule_id: str, sentence: str) -> None:
    assert sentence in explain(EDGES[rule_id][1], AGREEMENT).reasons[0].compared


def test_an_explanation_names_the_words_that_were_asked_for_though_the_record_does_not() -> None:
    explained = explain(changed(SEND, fields=("salary", "height")), AGREEMENT)
    assert "Fields: height, salary are not among" in explained.to_text()
    assert "salary" not in str(explained.record.to_document())


def test_what_no_rule_permits_says_who_may() -> None:
    explained = explain(question("open-records", "auditor"), AGREEMENT)
    assert explained.reasons == ()
    assert explained.headline == "regulator (auditor) may not have records opened."
    assert explained.needed == ("Another party: only the role recipient may have records opened.",)


def test_what_is_allowed_needs_nothing() -> None:
    explained = explain(SEND, AGREEMENT)
    assert explained.allowed
    assert explained.needed == ()
    assert explained.to_json()["reasons"][0]["rule"] == "institutions-send"


def test_a_simulation_counts_by_rule_what_would_have_gone_otherwise() -> None:
    opened = question("open-records", "recipient")
    records = [decide(asked, AGREEMENT) for asked in (SEND, changed(SEND, kinds=("email", "phone")), opened, opened)]
    records.append(decide(changed(opened, opened_today=9), AGREEMENT))
    new = make_agreement(kinds={"phone": KindPolicy(6, 50, True, 1)}, openings_per_day=20)
    found = simulate(iter(records), new)
    assert (found.decisions, found.newly_refused, found.newly_allowed, found.uncertain) == (5, 1, 1, 0)
    assert found.to_json()["rules"]["kind-not-agreed"]["newly_refused"] == 1
    assert found.to_json()["rules"]["openings-of-today-spent"]["newly_allowed"] == 1
    text = found.to_text()
    assert "2 of 5 decisions would have gone otherwise." in text
    assert "refuses 1 that were allowed" in text
    assert "no longer stands against 1 that were refused" in text


def test_a_simulation_says_where_it_cannot_tell() -> None:
    refused = decide(changed(SEND, kinds=("passport",)), AGREEMENT)
    found = simulate([refused, decide(changed(SEND, at=END), AGREEMENT)], AGREEMENT)
    assert (found.changed, found.uncertain) == (0, 1)
    assert "over words that are not in the records" in found.to_text()


def test_a_simulation_names_what_no_rule_permits_any_more() -> None:
    record = decide(question("read-overview", "auditor"), AGREEMENT)
    found = simulate([replace(record, allowed=True, rules=("broker-reads-overview",))], AGREEMENT)
    assert found.to_json()["rules"][NOTHING_PERMITS]["newly_refused"] == 1
    assert "No rule permits it." in found.to_text()


def test_a_record_that_today_s_rules_cannot_be_asked_about_is_counted_apart() -> None:
    record = decide(SEND, AGREEMENT)
    odd = replace(record, question=replace(SEND, facts={"suspended": False}))
    found = simulate([record, odd, record], AGREEMENT)
    assert (found.decisions, found.changed, found.unanswerable) == (3, 0, 1)
