"""Puts the parts of one run together, from an open home, an open state and a contact.

The one place that knows which key is for what.
"""

from __future__ import annotations

from clients.institution.contact import Contact
from clients.institution.delivery import Delivery
from clients.institution.evaluation import IN_FLIGHT, Quorum
from clients.institution.journal import Journal
from clients.institution.night import Parts
from clients.institution.outbox import Author
from clients.institution.row_digests import RowDigests
from clients.institution.state import State
from runtime.clock import Clock


def delivery(contact: Contact, state: State, clock: Clock) -> Delivery:
    """The outbox on its way to the broker."""
    return Delivery(state, contact.links.broker, contact.trust.broker_key, contact.membership, clock)


def parts(contact: Contact, state: State, fingerprint: bytes, clock: Clock, *, in_flight: int = IN_FLIGHT) -> Parts:
    """The tools of one sync; `fingerprint` stands for the mapping, `in_flight` chunks are under way at once."""
    place = contact.membership
    quorum = Quorum(
        contact.links.holders,
        epoch_id=place.epoch_id,
        commitments=place.commitments,
        share_version=place.share_version,
        threshold=place.threshold,
        in_flight=in_flight,
    )
    return Parts(
        state=state,
        journal=Journal(state, contact.ring["journal"]),
        digests=RowDigests(contact.ring["rows"], fingerprint),
        quorum=quorum,
        delivery=delivery(contact, state, clock),
        holders=contact.links.holders,
        author=Author(place, contact.signing_key),
        clock=clock,
    )
