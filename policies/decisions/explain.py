"""Why a request is allowed or refused, and what would have to change: the rules' sentences with the values at hand.

For whoever asks, so it names the words of the question as they were asked. Decides nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policies.agreement.document import Agreement
from policies.decisions.actions import ACTIONS
from policies.decisions.agreement_facts import facts_of
from policies.decisions.comparisons import Values, comparisons
from policies.decisions.decide import decide
from policies.decisions.question import Question
from policies.decisions.record import DecisionRecord
from policies.decisions.rules import Rule, RuleSet, current_rules


@dataclass(frozen=True)
class Reason:
    """One rule that decided: what it says, what it compared here, and, if it forbids, what would have to change."""

    rule: Rule
    compared: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "rule": self.rule.rule_id,
            "sentence": self.rule.sentence,
            "compared": list(self.compared),
            "remedy": self.rule.remedy,
        }


@dataclass(frozen=True)
class Explanation:
    """A decision in words. `needed`: what would have to change, all of it, for the request to be allowed."""

    record: DecisionRecord
    reasons: tuple[Reason, ...]
    needed: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """The answer."""
        return self.record.allowed

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        question = self.record.question
        verb = "may" if self.allowed else "may not"
        return f"{question.party_id} ({question.role}) {verb} {ACTIONS[question.action].text}."

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "allowed": self.allowed,
            "headline": self.headline,
            "reasons": [reason.to_json() for reason in self.reasons],
            "needed": list(self.needed),
        }

    def to_text(self) -> str:
        """For a terminal."""
        lines = [self.headline]
        for reason in self.reasons:
            lines += ["", f"{reason.rule.rule_id}: {reason.rule.sentence}"]
            lines += [f"  {sentence}" for sentence in reason.compared]
        if self.needed:
            lines += ["", "What would have to change:", *(f"  - {sentence}" for sentence in self.needed)]
        return "\n".join(lines)


def explain(question: Question, agreement: Agreement, rules: RuleSet | None = None) -> Explanation:
    """Decide, and say why. Raises QuestionRefused as `decide` does."""
    rules = rules or current_rules()
    record = decide(question, agreement, rules)
    known = facts_of(agreement, rules)
    values: Values = {
        "context": {**question.facts, "at": question.at},
        "resource": known.agreement,
        "principal": known.principals.get((question.role, question.party_id), {}),
    }
    reasons = tuple(Reason(rules.rules[rule_id], comparisons(rules.rules[rule_id], values)) for rule_id in record.rules)
    return Explanation(record, reasons, _needed(record, reasons))


def _needed(record: DecisionRecord, reasons: tuple[Reason, ...]) -> tuple[str, ...]:
    if record.allowed:
        return ()
    question = record.question
    needed = list(dict.fromkeys(reason.rule.remedy for reason in reasons))
    action = ACTIONS[question.action]
    if question.role not in action.roles:
        needed.append(f"Another party: only the role {' or '.join(sorted(action.roles))} may {action.text}.")
    return tuple(needed)
