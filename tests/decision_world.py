"""An agreement small enough to be read at a glance, and questions that it allows, for tests of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policies.agreement.document import Agreement
from policies.agreement.model import (
    AuditorParty,
    BrokerParty,
    FieldRequest,
    Gate,
    HolderParty,
    MemberParty,
    Parties,
    Purpose,
    RecipientParty,
    Retention,
    Witnesses,
)
from policies.decisions.question import Fact, Question
from policies.decisions.rules import current_rules
from policies.opening_rule import KindPolicy, OpeningRule

START, NOW, END = 1_000_000, 1_500_000, 2_000_000
GOOD: Mapping[str, Fact] = {"suspended": False, "departed": False}

PARTIES = Parties(
    members=(
        MemberParty(
            institution_id="bank-a",
            name="Bank A",
            role="bank",
            group_id="group-a",
            modes=("provide", "watch"),
            signing_key=b"a" * 32,
            declared={"phone": 100},
        ),
        MemberParty(
            institution_id="police-a",
            name="Police",
            role="police",
            group_id="group-p",
            modes=("request", "watch"),
            signing_key=b"b" * 32,
            declared={},
        ),
    ),
    recipients=(
        RecipientParty(
            recipient_id="charity",
            name="Charity",
            group_id="group-c",
            modes=("request", "watch"),
            purposes=("trafficking",),
            signing_key=b"c" * 32,
        ),
        RecipientParty(
            recipient_id="observer",
            name="Observer",
            group_id="group-o",
            modes=("watch",),
            purposes=("trafficking",),
            signing_key=b"e" * 32,
        ),
    ),
    holders=tuple(
        HolderParty(
            index=index,
            name=f"Holder {index}",
            group_id=f"group-h{index}",
            key=bytes([index]) * 32,
            dkg_key=bytes([index]) * 32,
            address=f"https://holder{index}.example",
        )
        for index in (1, 2, 3)
    ),
    broker=BrokerParty(name="Broker", group_id="group-b", key=bytes(32), address="https://broker.example"),
    auditors=(AuditorParty(auditor_id="regulator", name="Regulator", signing_key=b"d" * 32),),
)

PARTY_OF = {
    "institution": "bank-a",
    "recipient": "charity",
    "holder": "holder1",
    "broker": "broker",
    "auditor": "regulator",
    "anybody": "anybody",
}


def make_agreement(**changes: Any) -> Agreement:
    """The agreement, with some of its fields changed."""
    values: dict[str, Any] = {
        "agreement_id": "example",
        "version": 1,
        "previous": None,
        "title": "An example",
        "purposes": (Purpose("trafficking", "To find victims."), Purpose("statistics", "To count.")),
        "legal_basis": (),
        "start": START,
        "end": END,
        "parties": PARTIES,
        "member_quorum": 2,
        "t_h": 2,
        "epoch_days": 30,
        "kinds": {"phone": KindPolicy(6, 50, True, 1), "email": KindPolicy(6, 50, True, 1)},
        "identifier_spaces": {},
        "opening_rule": OpeningRule(2, 10, ("phone",)),
        "padded_size": 1024,
        "fields": {"bank": ("record_id", "note")},
        "indicators": {"bank": ("cash-only", "shared-address")},
        "gates": (Gate("bank", ("cash-only",)),),
        "retention": Retention(90_000, 600),
        "field_requests": (
            FieldRequest("charity", "bank", ("note",), 2, True),
            FieldRequest("charity", "police", ("note",), 1, False),
            FieldRequest("police-a", "bank", ("record_id",), 1, True),
        ),
        "openings_per_day": 10,
        "records_per_day": 100,
        "witnesses": Witnesses((), 0),
    }
    return Agreement(**{**values, **changes})


FACTS: Mapping[str, Mapping[str, Fact]] = {
    "send-records": {"kinds": ("phone",), "fields": ("note",), "indicators": ("cash-only",), "lifetime": 90_000},
    "submit-records": {"records": 10},
    "send-part": {"kinds": ("phone",), "lifetime": 90_000},
    "evaluate-identifiers": {"family": "phone", "elements": 100, "charged": 85},
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
    if (action, role) == ("request-fields", "institution"):
        # The bank sends, the police asks it.
        party_id, facts = party_id or "police-a", {"fields": ("record_id",), **facts}
    needed = current_rules().facts[action]
    standing = {name: fact for name, fact in GOOD.items() if name in needed}
    return Question(action, party_id or PARTY_OF[role], role, at, {**standing, **FACTS.get(action, {}), **facts})


def changed(asked: Question, **facts: Fact) -> Question:
    """The question with some facts changed; `at` and `party_id` may be among them."""
    fields: dict[str, Any] = {name: facts.pop(name) for name in ("at", "party_id", "role") if name in facts}
    return replace(asked, facts={**asked.facts, **facts}, **fields)
