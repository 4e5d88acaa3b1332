"""Who is who across the versions of a roster: ids and keys keep their meaning for the whole epoch.

So nobody counts twice by taking another name, group or key (protocol section 13, attack 5). Knows no signature.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.agreement.document import Agreement
from policies.errors import DocumentRefused
from policies.roster import Roster


def check_identities(roster: Roster, agreement: Agreement, earlier: Sequence[Roster]) -> None:
    """Refuse a roster whose ids or keys mean something else than in the agreement or an earlier version.

    `earlier` are the versions before it, in order. Nobody stands in it whom the agreement does not name; no id changes
    its kind, role or group; none that has left returns; no signing key moves from one id to another.
    """
    _check_ids(roster, agreement, earlier)
    _check_keys(roster, agreement, earlier)


def _check_ids(roster: Roster, agreement: Agreement, earlier: Sequence[Roster]) -> None:
    known = _identities(agreement)
    seen = {party_id for version in earlier for party_id in version.keys}
    present = set(earlier[-1].keys) if earlier else set()
    for party_id, identity in _identities(roster).items():
        if party_id not in known:
            raise DocumentRefused(
                f"Roster {roster.version} lists {party_id}, whom the agreement does not name: whoever joins is "
                "named by an amendment first."
            )
        if known[party_id] != identity:
            raise DocumentRefused(
                f"Roster {roster.version} lists {party_id} as {identity}, but it was {known[party_id]}: an id never "
                "changes its role or group within an epoch."
            )
        if party_id in seen and party_id not in present:
            raise DocumentRefused(
                f"Roster {roster.version} lists {party_id}, which had left: an id never returns within an epoch."
            )


def _check_keys(roster: Roster, agreement: Agreement, earlier: Sequence[Roster]) -> None:
    owners: dict[bytes, str] = {key: party_id for party_id, key in agreement.keys.items()}
    for version in earlier:
        owners.update({key: party_id for party_id, key in version.keys.items()})
    for party_id, key in roster.keys.items():
        if owners.get(key, party_id) != party_id:
            raise DocumentRefused(
                f"Roster {roster.version} gives {party_id} the signing key of {owners[key]}: a key never changes its "
                "party."
            )


def _identities(version: Agreement | Roster) -> dict[str, str]:
    """What must never change of each member and recipient, as a phrase for people."""
    identities: dict[str, str] = {}
    for member in version.members:
        identities[member.institution_id] = f"{member.role} in group {member.group_id}"
    for recipient in version.recipients:
        identities[recipient.recipient_id] = f"recipient in group {recipient.group_id}"
    return identities
