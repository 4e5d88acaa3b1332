"""An agreement as Cedar sees it: one entity for itself, one a party, and tables by role, family and party.

Made once a version and kept, since parsing them costs more than a decision. Knows no question and no rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cedarpy import Entities

from policies.agreement.document import Agreement
from policies.budgets import holder_budget
from policies.decisions.actions import ANYBODY
from policies.decisions.rules import RuleSet
from policies.parties import BROKER, holder_party_id
from policies.terms import families_of

Attributes = dict[str, Any]

ENTITY_TYPES: Final[Mapping[str, str]] = {
    "institution": "Institution",
    "recipient": "Recipient",
    "holder": "Holder",
    "broker": "Broker",
    "auditor": "Auditor",
    "anybody": "Anybody",
}
"""The Cedar type of each role."""

_STRANGER: Final[Mapping[str, str]] = {"type": "Stranger", "id": "?"}
"""The entity of whoever the agreement does not name in the role in which it asks."""

_KEPT_AGREEMENTS = 64


@dataclass(frozen=True)
class AgreementFacts:
    """What the rules may know of one agreement.

    entities    parsed for Cedar
    words       every word that it has: kinds, key families, fields, red flags, purposes, roles, parties
    agreement   its attributes by name
    principals  the attributes of each party by (role, id); tables are plain mappings
    """

    agreement_id: str
    entities: Entities
    words: frozenset[str]
    agreement: Attributes
    principals: Mapping[tuple[str, str], Attributes]

    def principal(self, role: str, party_id: str) -> dict[str, str]:
        """The Cedar entity of a party in a role; that of a stranger where the agreement does not name it."""
        named = (role, party_id) in self.principals or (role, party_id) == (ANYBODY, ANYBODY)
        return {"type": ENTITY_TYPES[role], "id": party_id} if named else dict(_STRANGER)


@dataclass(frozen=True)
class _Version:
    """What the facts are kept by: the hashes alone."""

    agreement_hash: bytes
    rules_hash: bytes
    agreement: Agreement = field(compare=False)
    rules: RuleSet = field(compare=False)


def facts_of(agreement: Agreement, rules: RuleSet) -> AgreementFacts:
    """The facts of an agreement under a set of rules, made once."""
    return _kept(_Version(agreement.hash, rules.hash, agreement, rules))


@lru_cache(maxsize=_KEPT_AGREEMENTS)
def _kept(version: _Version) -> AgreementFacts:
    agreement = version.agreement
    own = _agreement_attributes(agreement)
    principals = _principals(agreement)
    entities = [_entity("Agreement", agreement.agreement_id, own)]
    for (role, party_id), attributes in principals.items():
        entities.append(_entity(ENTITY_TYPES[role], party_id, attributes))
    tables = [table for entity in entities for table in entity.pop("tables")]
    text = json.dumps([*entities, *tables])
    return AgreementFacts(
        agreement_id=agreement.agreement_id,
        entities=Entities.from_json_str(text, version.rules.schema),
        words=_words(agreement),
        agreement=own,
        principals=principals,
    )


def _agreement_attributes(agreement: Agreement) -> Attributes:
    return {
        "start": agreement.start,
        "end": agreement.end,
        "purposes": sorted(purpose.code for purpose in agreement.purposes),
        "kinds": sorted(agreement.kinds),
        "fields": _table(agreement.fields),
        "indicators": _table(agreement.indicators),
        "gates": _table({gate.role: gate.any_of for gate in agreement.gates}),
        "retention_records": agreement.retention.records,
        "retention_opened": agreement.retention.opened,
        "openings_per_day": agreement.openings_per_day,
        "records_per_day": agreement.records_per_day,
    }


def _principals(agreement: Agreement) -> dict[tuple[str, str], Attributes]:
    holders = agreement.parties.holders
    budgets = {member.institution_id: member.budgets for member in agreement.members}
    found: dict[tuple[str, str], Attributes] = {("broker", BROKER): {}}
    for member in agreement.parties.members:
        asked = [each for each in agreement.field_requests if each.of_role == member.role]
        found["institution", member.institution_id] = {
            "role": member.role,
            "modes": sorted(member.modes),
            "budgets": {
                family: holder_budget(total, agreement.t_h, len(holders))
                for family, total in budgets[member.institution_id].items()
            },
            "answers": _table_of((each.asker, each.fields) for each in asked),
            "approvals": {
                asker: max(each.approvals for each in asked if each.asker == asker)
                for asker in {each.asker for each in asked}
            },
            **_asking(agreement, member.institution_id),
        }
    for recipient in agreement.parties.recipients:
        found["recipient", recipient.recipient_id] = {
            "modes": sorted(recipient.modes),
            "purposes": sorted(recipient.purposes),
            **_asking(agreement, recipient.recipient_id),
        }
    found |= {("holder", holder_party_id(holder.index)): {} for holder in holders}
    found |= {("auditor", auditor.auditor_id): {} for auditor in agreement.parties.auditors}
    return found


def _asking(agreement: Agreement, party_id: str) -> Attributes:
    """Whom a party may ask for which fields."""
    asks = [each for each in agreement.field_requests if each.asker == party_id]
    return {
        "may_ask": _table_of((each.of_role, each.fields) for each in asks),
        "may_reveal": sorted({each.of_role for each in asks if each.reveals}),
    }


def _table(words: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    return {key: sorted(set(listed)) for key, listed in sorted(words.items())}


def _table_of(pairs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, list[str]]:
    """Words by key, where a key may come several times."""
    found: dict[str, set[str]] = {}
    for key, listed in pairs:
        found.setdefault(key, set()).update(listed)
    return _table(found)


def _entity(cedar_type: str, entity_id: str, attributes: Attributes) -> dict[str, Any]:
    """The entity in Cedar's JSON form; the tables among its attributes become entities of their own ("tables")."""
    uid = {"type": cedar_type, "id": entity_id}
    shown: Attributes = {}
    tables = []
    for name, value in attributes.items():
        if isinstance(value, dict):
            table_type = "Numbers" if name in ("budgets", "approvals") else "Lists"
            table = {"type": table_type, "id": f"{cedar_type}/{entity_id}/{name}"}
            tables.append({"uid": table, "attrs": {}, "parents": [], "tags": value})
            shown[name] = {"__entity": table}
        else:
            shown[name] = value
    return {"uid": uid, "attrs": shown, "parents": [], "tables": tables}


def _words(agreement: Agreement) -> frozenset[str]:
    lists = (
        agreement.kinds,
        families_of(agreement.kinds),
        (purpose.code for purpose in agreement.purposes),
        (member.role for member in agreement.parties.members),
        (member.institution_id for member in agreement.parties.members),
        (recipient.recipient_id for recipient in agreement.parties.recipients),
        *agreement.fields.values(),
        *agreement.indicators.values(),
        *(gate.any_of for gate in agreement.gates),
        *(request.fields for request in agreement.field_requests),
    )
    return frozenset(word for listed in lists for word in listed)
