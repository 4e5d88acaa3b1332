"""An agreement small enough to be read at a glance, and questions that it allows, for tests of decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from policies.agreement.model import (
    AuditorParty,
    FieldRequest,
    Gate,
    MemberParty,
    Purpose,
    RecipientParty,
    Retention,
)
from policies.decisions.question import Fact, Question
from policies.opening_rule import KindPolicy

START, NOW, END = 1_000_000, 1_500_000, 2_000_000
GOOD: Mapping[str, Fact] = {"suspended": False, "departed": False}

PARTY_OF = {
    "institution": "bank-a",
    "recipient": "charity",
    "holder": "holder1",
    "broker": "broker",
    "auditor": "regulator",
    "anybody": "anybody",
}


def make_agreement(**changes: Any) -> Any:
    members = (
        MemberParty("bank-a", "Bank A", "bank", "group-a", b"a" * 32, ("provide", "watch"), {"phone": 100}),
        MemberParty("police-a", "Police", "police", "group-p", b"b" * 32, ("watch",), {"phone": 100}),
    )
    recipients = (
        RecipientParty("charity", "Charity", "group-c", b"c" * 32, ("request", "watch"), ("trafficking",)),
        RecipientParty("observer", "Observer", "group-o", b"e" * 32, ("watch",), ("trafficking",)),
    )
    values = {
        "agreement_id": "example",
        "version": 1,
        "start": START,
        "end": END,
        "hash": hashlib.sha256(repr(sorted(changes.items())).encode()).digest(),
        "kinds": {"phone": KindPolicy(6, 50, True, 1), "email": KindPolicy(6, 50, True, 1)},
        "purposes": (Purpose("trafficking", "To find victims."), Purpose("statistics", "To count.")),
        "fields": {"bank": ("record_id", "note")},
        "indicators": {"bank": ("cash-only", "shared-address")},
        "gates": (Gate("bank", ("cash-only",)),),
        "retention": Retention(90_000, 600),
        "openings_per_day": 10,
        "records_per_day": 100,
        "t_h": 2,
        "members": tuple(SimpleNamespace(institution_id=m.institution_id, budgets={"phone": 200}) for m in members),
        "field_requests": (
            FieldRequest("charity", "bank", ("note",), 2, True),
            FieldRequest("charity", "police", ("note",), 1, False),
        ),
        "parties": SimpleNamespace(
            members=members,
            recipients=recipients,
            holders=(SimpleNamespace(index=1), SimpleNamespace(index=2), SimpleNamespace(index=3)),
            auditors=(AuditorParty("regulator", "Regulator", b"d" * 32),),
            broker=None,
        ),
        **changes,
    }
    return SimpleNamespace(**values)


FACTS: Mapping[str, Mapping[str, Fact]] = {
    "send-records": {"kinds": ("phone",), "fields": ("note",), "indicators": ("cash-only",), "lifetime": 90_000},
    "submit-records": {"records": 10},
    "send-part": {"kinds": ("phone",), "lifetime": 90_000},
    "evaluate-identifiers": {"family": "phone", "elements": 100, "charged": 100},
    "evaluate-record-secrets": {"records": 50, "records_today": 50, "lifetime": 90_000},
    "ask-for-opening": {"purpose": "trafficking", "records": 3},
    "open-records": {
        "purpose": "trafficking",
        "records": 5,
        "opened_today": 5,
        "logged": True,
        "checkpoint_age": 86_400,
        "followed_age": 3_600,
    },
    "read-opened-record": {"of_role": "bank", "fields": ("note",), "indicators": ("cash-only",), "opened_age": 600},
    "export-case": {"purpose": "trafficking", "opened_age": 600},
    "request-fields": {"purpose": "trafficking", "of_role": "bank", "fields": ("note",)},
    "answer-field-request": {"asker": "charity", "fields": ("note",), "approvals": 2},
}
"""For every action with facts of its own: the facts at the edge of what the agreement allows."""


def question(action: str, role: str, *, at: int = NOW, party_id: str = "", **facts: Fact) -> Question:
    """A question that is allowed if the role may take the action at all; `facts` change what they name."""
    from policies.decisions.rules import current_rules

    needed = current_rules().facts[action]
    standing = {name: fact for name, fact in GOOD.items() if name in needed}
    return Question(action, party_id or PARTY_OF[role], role, at, {**standing, **FACTS.get(action, {}), **facts})


def changed(asked: Question, **facts: Fact) -> Question:
    """The question with some facts changed; `at` and `party_id` may be among them."""
    fields: dict[str, Any] = {name: facts.pop(name) for name in ("at", "party_id", "role") if name in facts}
    return replace(asked, facts={**asked.facts, **facts}, **fields)
