"""What the pages of decisions say: filters and pages; one decision with its rules in words and its replayed answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from clients.auditor.auditor import Auditor
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import DecisionFilter, DecisionRow
from clients.auditor.replaying import record_of
from policies.decisions.actions import ACTIONS
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay_many
from policies.decisions.rules import Rule, UnknownRules, rules_of
from policies.errors import DocumentRefused

DAY: Final = 86_400


@dataclass(frozen=True)
class Decisions:
    """A page of decisions, and what can be asked for."""

    rows: tuple[DecisionRow, ...]
    total: int
    page: int
    pages: int
    choices: Mapping[str, list[str]]


@dataclass(frozen=True)
class Decision:
    """One decision.

    record    None where the leaf's record cannot be read; `trouble` then says why
    again     the answer that it gets now; None where it could not be taken again
    version   of the agreement under which it was taken; None for an unknown one
    """

    row: DecisionRow
    record: DecisionRecord | None
    text: str
    rules: tuple[Rule, ...]
    again: DecisionRecord | None
    trouble: str
    version: int | None
    logged_at: int


def wanted_decisions(asked: Mapping[str, str]) -> tuple[DecisionFilter, dict[str, str]]:
    """The filter that a page's address asks for, and what of it was understood."""
    given = {name: asked.get(name, "").strip() for name in ("party", "action", "rule", "answer", "since", "until")}
    answer = {"allowed": True, "refused": False}.get(given["answer"])
    until = _day(given["until"])
    wanted = DecisionFilter(
        given["party"] or None,
        given["action"] or None,
        given["rule"] or None,
        answer,
        _day(given["since"]),
        None if until is None else until + DAY,
        given["answer"] == "differs",
    )
    return wanted, given


def present_decisions(ledger: Ledger, wanted: DecisionFilter, page: int, length: int) -> Decisions:
    """A page of the decisions that are wanted."""
    total = ledger.count_decisions(wanted)
    rows = ledger.decisions(wanted, (page - 1) * length, length)
    return Decisions(tuple(rows), total, page, max(1, -(-total // length)), ledger.choices())


def present_decision(auditor: Auditor, position: int) -> Decision | None:
    """The decision in a leaf, replayed now; None where that leaf is none."""
    row, leaf = auditor.ledger.decision(position), auditor.ledger.leaf(position)
    if row is None or leaf is None:
        return None
    action = ACTIONS.get(row.action)
    text = action.text if action else row.action
    try:
        record = record_of(leaf)
    except DocumentRefused as refused:
        return Decision(row, None, text, (), None, refused.reason, None, leaf.at)
    agreements = auditor.agreements()
    (replayed,) = replay_many([record], agreements)
    agreement = agreements.get(record.agreement_hash)
    version = agreement.version if agreement else None
    return Decision(row, record, text, _rules(record), replayed.again, replayed.trouble, version, leaf.at)


def _rules(record: DecisionRecord) -> tuple[Rule, ...]:
    """The rules that the record names, as they stand in the set of rules that it names."""
    try:
        rules = rules_of(record.rules_hash).rules
    except UnknownRules:
        return ()
    return tuple(rules[rule_id] for rule_id in record.rules if rule_id in rules)


def _day(text: str) -> int | None:
    """The first second of a day; None for what is none."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) if text else None
    except ValueError:
        return None
