"""Who is who across the versions of a roster: ids and keys keep their meaning for the whole epoch.

So nobody counts twice by taking another name, group or key (protocol section 13, attack 5). Knows no signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.enrolment import Enrolment
from policies.errors import DocumentRefused
from policies.roster import Roster


def check_identities(roster: Roster, enrolment: Enrolment, earlier: Sequence[Roster]) -> None:
    """Refuse a roster whose ids or keys mean something else than in the enrolment or an earlier version.

    `earlier` are the versions before it, in order. No id changes its kind, role or group; none that has left returns;
    no signing key moves from one id to another.
    """
    _check_ids(roster, enrolment, earlier)
    _check_keys(roster, enrolment, earlier)


def _check_ids(roster: Roster, enrolment: Enrolment, earlier: Sequence[Roster]) -> None:
    known = _identities(enrolment)
    seen: set[str] = set()
    for version in earlier:
        known.update(_identities(version))
        seen.update(version.keys)
    present = set(earlier[-1].keys) if earlier else set()
    for party_id, identity in _identities(roster).items():
        if known.get(party_id, identity) != identity:
            raise DocumentRefused(
                f"Roster {roster.version} lists {party_id} as {identity}, but it was {known[party_id]}: an id never "
                "changes its role or group within an epoch."
            )
        if party_id in seen and party_id not in present:
            raise DocumentRefused(
                f"Roster {roster.version} lists {party_id}, which had left: an id never returns within an epoch."
            )


def _check_keys(roster: Roster, enrolment: Enrolment, earlier: Sequence[Roster]) -> None:
    owners: dict[bytes, str] = {key: party_id for party_id, key in enrolment.keys.items()}
    for version in earlier:
        owners.update({key: party_id for party_id, key in version.keys.items()})
    for party_id, key in roster.keys.items():
        if owners.get(key, party_id) != party_id:
            raise DocumentRefused(
                f"Roster {roster.version} gives {party_id} the signing key of {owners[key]}: a key never changes its "
                "party."
            )


def _identities(version: Enrolment | Roster) -> dict[str, str]:
    """What must never change of each member and recipient, as a phrase for people."""
    identities: dict[str, str] = {}
    for member in version.members:
        identities[member.institution_id] = f"{member.role} in group {member.group_id}"
    for recipient_id, group_id in _recipient_groups(version).items():
        identities[recipient_id] = f"recipient in group {group_id}"
    return identities


def _recipient_groups(version: Enrolment | Roster) -> Mapping[str, str]:
    if isinstance(version, Enrolment):
        return {recipient.recipient_id: recipient.group_id for recipient in version.recipients}
    return {recipient.recipient_id: recipient.group_id for recipient in version.recipients}
