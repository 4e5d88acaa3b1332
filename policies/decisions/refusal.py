"""How a decision is told to whoever asked: as a ruling for a service, as a problem document, as a sentence.

Says the rules' own sentences; never repeats a fact. Does not decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from policies.agreement.document import Agreement
from policies.decisions.actions import ACTIONS
from policies.decisions.decide import decide
from policies.decisions.question import Fact, Question
from policies.decisions.record import DecisionRecord
from policies.decisions.rules import NOT_ALLOWED, rules_of
from runtime.exits import ExitCode, UserError
from wire.access import Caller
from wire.problems import Problem
from wire.rulings import Ruling

_TOO_MANY = frozenset({"budget-spent", "rate-limited"})
"""Problems that say: later, or less (429)."""


class NotAllowed(UserError):
    """A party's own program refuses to do what the agreement does not allow; `record` is the decision."""

    def __init__(self, record: DecisionRecord) -> None:
        super().__init__(f"Not allowed: {sentence(record)}", ExitCode.INPUT_REFUSED)
        self.record = record


def sentence(record: DecisionRecord) -> str:
    """Why the request was refused, in the sentences of the rules that decided; or what allowed it."""
    if not record.rules:
        return f"No rule lets the role {record.question.role} {ACTIONS[record.question.action].text}."
    rules = rules_of(record.rules_hash).rules
    return " ".join(rules[rule_id].sentence for rule_id in record.rules)


def refusal(record: DecisionRecord) -> Problem:
    """The problem document of a refusal, with the deciding rules' ids in the member `rules`.

    403 not-allowed; 429 where nothing but a spent budget stands in the way, with the code that clients know it by.
    """
    rules = rules_of(record.rules_hash).rules
    problems = {rules[rule_id].problem for rule_id in record.rules}
    if problems and problems <= _TOO_MANY:
        code = sorted(problems)[0]
        return Problem(429, code, code.replace("-", " "), sentence(record), rules=list(record.rules))
    return Problem(403, NOT_ALLOWED, "not allowed", sentence(record), rules=list(record.rules))


def require(record: DecisionRecord) -> DecisionRecord:
    """The record of what is allowed; raises NotAllowed for what is not. For a party's own programs."""
    if not record.allowed:
        raise NotAllowed(record)
    return record


def standing(party_id: str, suspended: Collection[str], departed: Collection[str]) -> dict[str, Fact]:
    """The facts that every signed request has: how its party stands."""
    return {"suspended": party_id in suspended, "departed": party_id in departed}


def rule_on(caller: Caller, action: str, agreement: Agreement, at: int, facts: Mapping[str, Fact]) -> Ruling:
    """A service's ruling on a signed request: `facts` hold the party's standing and what else the action needs.

    Raises QuestionRefused where the facts are not the action's: a fault of the service.
    """
    record = decide(Question(action, caller.party_id, caller.role, at, facts), agreement)
    return Ruling(record, None if record.allowed else refusal(record))
