"""The one place where it is decided what may be done: a question, an agreement, the rules, and Cedar's answer.

Deny by default. A question that cannot be asked is refused loudly rather than answered. Knows no request and no clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cedarpy import AuthzResult, Decision, is_authorized_batch

from policies.agreement.document import Agreement
from policies.decisions.agreement_facts import ENTITY_TYPES, AgreementFacts, facts_of
from policies.decisions.question import Question, QuestionRefused
from policies.decisions.record import DecisionRecord
from policies.decisions.rules import RuleSet, current_rules


class DecisionFault(Exception):
    """Cedar could not evaluate a rule: a fault of the rules, never of whoever asks. Nothing is allowed by it."""


def decide(question: Question, agreement: Agreement, rules: RuleSet | None = None) -> DecisionRecord:
    """Decide by the current rules, or those given; deterministic.

    Raises QuestionRefused for an unknown role or fact, one that is missing or of another type.
    """
    return decide_many([question], agreement, rules)[0]


def decide_many(
    questions: Sequence[Question], agreement: Agreement, rules: RuleSet | None = None
) -> list[DecisionRecord]:
    """Decide many questions under one agreement, in their order; the same as one by one, and faster."""
    rules = rules or current_rules()
    known = facts_of(agreement, rules)
    asked = [question.keeping(known.words) for question in questions]
    requests = [_request(question, known) for question in asked]
    # Cedar holds every request to the schema: the action's facts, all of them, and no other.
    answers = is_authorized_batch(requests, rules.policies, known.entities, rules.schema)
    agreement_hash = agreement.hash
    return [
        DecisionRecord(question, agreement_hash, rules.hash, _deciding(answer, question), answer.allowed)
        for question, answer in zip(asked, answers, strict=True)
    ]


def _request(question: Question, known: AgreementFacts) -> dict[str, Any]:
    if question.role not in ENTITY_TYPES:
        raise QuestionRefused(f"There is no role {question.role!r}.")
    return {
        "principal": known.principal(question.role, question.party_id),
        "action": {"type": "Action", "id": question.action},
        "resource": {"type": "Agreement", "id": known.agreement_id},
        "context": json.dumps({**question.facts, "at": question.at}),
    }


def _deciding(answer: AuthzResult, question: Question) -> tuple[str, ...]:
    """The ids of the rules that decided."""
    diagnostics = answer.diagnostics
    if answer.decision is Decision.NoDecision:
        raise QuestionRefused(f"The rules cannot be asked about {question.action}: {'; '.join(diagnostics.errors)}.")
    if diagnostics.errors:
        raise DecisionFault("; ".join(diagnostics.errors))
    return tuple(sorted(diagnostics.id_annotations_by_reason.values()))
