"""Who is suspended and who has left, as signed documents say. Part of what a party trusts.

Knows no epoch and no store; whose agreement it is, trust.py says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from policies.agreement.document import Agreement
from policies.agreement.standing import Departure, Suspension
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.signers import fork, require_all, require_quorum


@dataclass(frozen=True)
class Exclusions:
    """The newest suspension of each party by itself and by the members, and every departure. Immutable."""

    suspensions: tuple[Suspension, ...] = ()
    departures: tuple[Departure, ...] = ()

    def with_suspension(self, signed: SignedDocument, agreement: Agreement) -> Exclusions:
        """Take a suspension under the newest version of the agreement; the one held already changes nothing.

        Raises DocumentRefused for one that is not the party's or the members' quorum's, and for an older one.
        """
        given = Suspension.from_document(signed.document)
        held = next((one for one in self.suspensions if (one.party_id, one.by) == (given.party_id, given.by)), None)
        if held is not None and held.hash == given.hash:
            return self
        name = f"suspension {given.number} of {given.party_id}"
        _check_names(given, agreement, name)
        if given.by == "itself":
            require_all(signed, {given.party_id: agreement.keys[given.party_id]}, name)
        else:
            require_quorum(signed, agreement.member_keys, agreement.member_quorum, name)
        if held is not None and held.number == given.number:
            raise fork(name, held.hash, given.hash)
        if held is not None and held.number > given.number:
            raise DocumentRefused(f"The {name} is older than suspension {held.number}, which is held.")
        others = tuple(one for one in self.suspensions if one is not held)
        return replace(self, suspensions=(*others, given))

    def with_departure(self, signed: SignedDocument, agreement: Agreement) -> Exclusions:
        """Take a departure under the newest version of the agreement; that of a party that has left changes nothing.

        Raises DocumentRefused for one that the party itself did not sign.
        """
        given = Departure.from_document(signed.document)
        if given.party_id in self.departed:
            return self
        name = f"departure of {given.party_id}"
        _check_names(given, agreement, name)
        require_all(signed, {given.party_id: agreement.keys[given.party_id]}, name)
        return replace(self, departures=(*self.departures, given))

    @cached_property
    def suspended(self) -> frozenset[str]:
        """Whom the newest word of the party itself or of the members suspends."""
        return frozenset(one.party_id for one in self.suspensions if one.suspended)

    @cached_property
    def departed(self) -> frozenset[str]:
        """Who has left."""
        return frozenset(one.party_id for one in self.departures)

    def next_number(self, party_id: str, by: str) -> int:
        """The number of the next suspension of a party by itself or by the members."""
        return 1 + max((one.number for one in self.suspensions if (one.party_id, one.by) == (party_id, by)), default=0)


def _check_names(given: Suspension | Departure, agreement: Agreement, name: str) -> None:
    if given.agreement_id != agreement.agreement_id:
        raise DocumentRefused(f"The {name} belongs to the agreement {given.agreement_id}.")
    if given.version != agreement.version:
        raise DocumentRefused(
            f"The {name} is signed under version {given.version} of the agreement, but version {agreement.version} is "
            "the newest."
        )
    if given.party_id not in agreement.keys:
        raise DocumentRefused(f"The {name} is of nobody whom the agreement names.")
