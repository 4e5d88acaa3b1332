"""Under which key and in which role each party signs its requests, as agreements and the newest roster say.

Knows no request; what a party may do in its role, the rules say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from policies.agreement.document import Agreement
from policies.parties import BROKER
from policies.roster import Roster

CallerRole = Literal["institution", "recipient", "holder", "broker", "auditor"]

Callers = Mapping[str, tuple[bytes, CallerRole]]


def callers_of(current: Agreement, newest: Agreement, roster: Roster | None) -> Callers:
    """Key (32 bytes) and role by party id, under the epoch's version of the agreement and its newest roster.

    Whom the newest version of the agreement adds is known already: it has documents to fetch and keys to generate.
    """
    added = {party_id: found for party_id, found in _callers(newest).items() if party_id not in current.keys}
    listed = roster or current
    return {
        **added,
        **_in_role("broker", {BROKER: current.broker.key}),
        **_in_role("holder", current.holder_keys),
        **_in_role("auditor", current.auditor_keys),
        **_in_role("institution", listed.member_keys),
        **_in_role("recipient", listed.recipient_keys),
    }


def _callers(agreement: Agreement) -> Callers:
    return {
        **_in_role("holder", agreement.holder_keys),
        **_in_role("auditor", agreement.auditor_keys),
        **_in_role("institution", agreement.member_keys),
        **_in_role("recipient", agreement.recipient_keys),
    }


def _in_role(role: CallerRole, keys: Mapping[str, bytes]) -> Callers:
    return {party_id: (key, role) for party_id, key in keys.items()}
