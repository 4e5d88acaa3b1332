"""The matrix role x action against Cedar's answers, both ways: what it says is allowed is, and all else is refused."""

import pytest

from policies.decisions.actions import ACTIONS
from policies.decisions.decide import decide
from policies.decisions.rules import current_rules
from tests.decision_world import PARTY_OF, make_agreement, question

CELLS = [(action, role) for action in ACTIONS for role in PARTY_OF]


@pytest.mark.parametrize(("action", "role"), CELLS)
def test_cedar_answers_as_the_matrix_says(action: str, role: str) -> None:
    record = decide(question(action, role), make_agreement())
    # What anybody may do, a party may as well.
    roles = ACTIONS[action].roles
    assert record.allowed == (role in roles or "anybody" in roles)
    if record.allowed:
        assert record.rules
        assert all(current_rules().rules[rule].effect == "permit" for rule in record.rules)


def test_every_permit_lets_somebody_do_something() -> None:
    agreement = make_agreement()
    used = {rule for action, role in CELLS for rule in decide(question(action, role), agreement).rules}
    permits = {rule.rule_id for rule in current_rules().rules.values() if rule.effect == "permit"}
    assert permits <= used


def test_nobody_is_allowed_anything_by_a_role_that_the_agreement_does_not_give() -> None:
    agreement = make_agreement()
    for action in ACTIONS:
        for role in PARTY_OF:
            assert not decide(question(action, role, party_id="bank-z"), agreement).allowed
