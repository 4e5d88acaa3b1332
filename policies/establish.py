"""From a heap of documents to what they give: the order in which they can be taken, and the taking of all of them.

Knows which document needs which before it; what holds, trust.py says.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.agreement.document import Agreement
from policies.agreement.standing import Departure, Suspension
from policies.documents import SignedDocument
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.roster import Roster
from policies.trust import Trust


def in_order(documents: Iterable[SignedDocument]) -> list[SignedDocument]:
    """`documents` in an order in which they can be taken; raises DocumentRefused for one that is not well formed.

    The agreement's versions, each followed by the suspensions and departures that are signed under it; then epochs by
    number; then rosters by version.
    """
    return sorted(documents, key=_place)


def establish(pinned_hash: bytes, documents: Iterable[SignedDocument]) -> Trust:
    """The trust that a set of documents, in any order, gives: the newest epoch with all of its rosters.

    Every document is verified but rosters of earlier epochs, which are left aside. Raises DocumentRefused for a
    document that does not hold, and where the pinned agreement is missing.
    """
    given = in_order(documents)
    pinned = next((signed for signed in given if signed.type == "agreement" and signed.hash == pinned_hash), None)
    if pinned is None:
        raise DocumentRefused(f"The pinned agreement {pinned_hash.hex()} is not among the documents.")
    trust = Trust.pin(pinned, pinned_hash)
    for signed in given:
        if signed.type != "roster":
            trust = trust.with_document(signed)
        elif trust.current_epoch is None:
            raise DocumentRefused("There is a roster, but no epoch document.")
        elif Roster.from_document(signed.document).epoch_id == trust.epoch_id:
            trust = trust.with_roster(signed)
    return trust


def is_news(signed: SignedDocument, trust: Trust) -> bool:
    """Whether a version of the agreement, a suspension or a departure is of this agreement, and neither held nor
    overtaken by what is.
    """
    document, newest = signed.document, trust.newest_agreement
    if signed.type == "agreement":
        held = {agreement.hash for agreement in trust.agreements}
        agreement = Agreement.from_document(document)
        # A first version is pinned or of no concern.
        return agreement.version > 1 and signed.hash not in held and agreement.agreement_id == newest.agreement_id
    if signed.type == "suspension":
        suspension = Suspension.from_document(document)
        if suspension.number < trust.exclusions.next_number(suspension.party_id, suspension.by):
            return False
        return suspension.agreement_id == newest.agreement_id and suspension.version >= newest.version
    departure = Departure.from_document(document)
    if departure.party_id in trust.departed:
        return False
    return departure.agreement_id == newest.agreement_id and departure.version >= newest.version


def _place(signed: SignedDocument) -> tuple[int, int, int, int]:
    """Sorts by kind of document and number."""
    document = signed.document
    match signed.type:
        case "agreement":
            return (0, Agreement.from_document(document).version, 0, 0)
        case "suspension":
            suspension = Suspension.from_document(document)
            return (0, suspension.version, 1, suspension.number)
        case "departure":
            return (0, Departure.from_document(document).version, 2, 0)
        case "epoch":
            return (1, Epoch.from_document(document).number, 0, 0)
        case "roster":
            return (2, Roster.from_document(document).version, 0, 0)
    raise DocumentRefused(f"This {signed.type} document is none that an agreement's parties keep.")
