"""Past decisions held against another agreement: which would have gone otherwise, and by which rule.

Works through any number of records, keeps counts and a few examples a rule. Knows no log and no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from policies.agreement.document import Agreement
from policies.decisions.decide import decide_many
from policies.decisions.question import UNLISTED, QuestionRefused
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import BATCH
from policies.decisions.rules import current_rules

EXAMPLES: Final = 3
"""Changed decisions that are kept of each rule."""

NOTHING_PERMITS: Final = "no-rule-permits"
"""Stands in for a rule's id where a refusal comes of no rule permitting."""


@dataclass(frozen=True)
class Change:
    """A decision that would have gone otherwise."""

    before: DecisionRecord
    after: DecisionRecord

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        question = self.before.question
        return {
            "action": question.action,
            "party_id": question.party_id,
            "at": question.at,
            "before": {"allowed": self.before.allowed, "rules": list(self.before.rules)},
            "after": {"allowed": self.after.allowed, "rules": list(self.after.rules)},
        }


@dataclass
class RuleEffect:
    """What one rule does to past decisions: refuses what was allowed, or no longer refuses what it refused."""

    newly_refused: int = 0
    newly_allowed: int = 0
    examples: list[Change] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "newly_refused": self.newly_refused,
            "newly_allowed": self.newly_allowed,
            "examples": [change.to_json() for change in self.examples],
        }


@dataclass
class Simulation:
    """Counts over all records, and by rule.

    uncertain    refusals that stay refused, but over words that the old agreement did not have and the record
                 therefore does not hold: the new agreement may have them
    unanswerable records that the rules of today cannot be asked about
    """

    decisions: int = 0
    newly_refused: int = 0
    newly_allowed: int = 0
    uncertain: int = 0
    unanswerable: int = 0
    rules: dict[str, RuleEffect] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Decisions that would have gone otherwise."""
        return self.newly_refused + self.newly_allowed

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "decisions": self.decisions,
            "changed": self.changed,
            "newly_refused": self.newly_refused,
            "newly_allowed": self.newly_allowed,
            "uncertain": self.uncertain,
            "unanswerable": self.unanswerable,
            "rules": {rule_id: effect.to_json() for rule_id, effect in sorted(self.rules.items())},
        }

    def to_text(self) -> str:
        """For a terminal."""
        lines = [f"{self.changed} of {self.decisions} decisions would have gone otherwise."]
        sentences = current_rules().rules
        for rule_id, effect in sorted(self.rules.items()):
            told = sentences[rule_id].sentence if rule_id in sentences else "No rule permits it."
            lines += ["", f"{rule_id}: {told}"]
            if effect.newly_refused:
                lines.append(f"  refuses {effect.newly_refused} that were allowed")
            if effect.newly_allowed:
                lines.append(f"  no longer stands against {effect.newly_allowed} that were refused")
            lines += [f"    {_example(change)}" for change in effect.examples]
        if self.uncertain:
            lines += [
                "",
                f"{self.uncertain} refusals were over words that are not in the records: they may change too.",
            ]
        if self.unanswerable:
            lines += ["", f"{self.unanswerable} records could not be asked about by the rules of today."]
        return "\n".join(lines)


def simulate(records: Iterable[DecisionRecord], agreement: Agreement) -> Simulation:
    """Hold each record's answer against the one that the rules of today give under `agreement`."""
    found = Simulation()
    pending = iter(records)
    while batch := list(islice(pending, BATCH)):
        for before, after in zip(batch, _decided(batch, agreement), strict=True):
            found.decisions += 1
            if after is None:
                found.unanswerable += 1
            elif before.allowed != after.allowed:
                _count(found, Change(before, after))
            elif not after.allowed and UNLISTED in before.question.words:
                found.uncertain += 1
    return found


def _decided(batch: list[DecisionRecord], agreement: Agreement) -> list[DecisionRecord | None]:
    try:
        return [*decide_many([record.question for record in batch], agreement)]
    except QuestionRefused:
        if len(batch) == 1:
            return [None]
        middle = len(batch) // 2
        return _decided(batch[:middle], agreement) + _decided(batch[middle:], agreement)


def _count(found: Simulation, change: Change) -> None:
    if change.before.allowed:
        found.newly_refused += 1
    else:
        found.newly_allowed += 1
    refusing = change.after if change.before.allowed else change.before
    for rule_id in refusing.rules or (NOTHING_PERMITS,):
        effect = found.rules.setdefault(rule_id, RuleEffect())
        if change.before.allowed:
            effect.newly_refused += 1
        else:
            effect.newly_allowed += 1
        if len(effect.examples) < EXAMPLES:
            effect.examples.append(change)


def _example(change: Change) -> str:
    question = change.before.question
    words = ("allowed", "refused") if change.before.allowed else ("refused", "allowed")
    return f"{question.action} of {question.party_id} at {question.at}: {words[0]}, would be {words[1]}"
