"""An amendment, a suspension and a departure brought to a served broker and its key holders, and taken by each.

Each verifies for itself; who could not be reached, or refused, is named.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from broker.directory import Directory
from policies.agreement.document import Agreement
from policies.agreement.publishing import Network, publish
from policies.agreement.standing import Departure
from policies.documents import SignedDocument, sign_document
from policies.party_keys import PartyKeys, new_party
from policies.trust import Trust
from tests.agreement_world import World, make_world
from tests.brokers import BASE_URL, NOW, BrokerWorld, build_broker
from tests.clocks import MovableClock
from tests.holders import Holders, serve_in_process

SERVICES = ["broker", "holder1", "holder2", "holder3"]


class Served:
    """A broker and its key holders in one process, and the way to them."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.world: World = make_world(addresses={"broker": BASE_URL})
        self.broker: BrokerWorld = build_broker(database_url, agreement=self.world)
        self.holders: Holders = serve_in_process(self.world, folder, clock=MovableClock(NOW))
        self.away: set[str] = set()

    def transport(self, party_id: str) -> httpx.BaseTransport:
        """The way to one service."""
        if party_id in self.away:
            return httpx.MockTransport(_refuse_connection)
        app = self.broker.app if party_id == "broker" else self.holders.apps[int(party_id.removeprefix("holder"))]
        return httpx.WSGITransport(app=app)

    def network(self, party: PartyKeys) -> Network:
        """As whom a party speaks."""
        return Network(
            party.card.party_id, party.secrets["signing"], MovableClock(NOW), attempts=1, transport=self.transport
        )

    def held(self) -> dict[str, Trust]:
        """What each service goes by."""
        found = {
            f"holder{index}": app.extensions["crosslight-holder"].state().standing.pinned
            for index, app in self.holders.apps.items()
        }
        return {"broker": Directory(self.broker.engine, self.world.agreement.hash).trust(), **found}


def _refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Served:
    return Served(sqlite_url, tmp_path)


def with_bank_z(before: Agreement, key: bytes) -> Agreement:
    joining = replace(before.parties.members[0], institution_id="bank-z", group_id="group-z", signing_key=key)
    parties = replace(before.parties, members=(*before.parties.members, joining))
    return replace(before, version=2, previous=before.hash, parties=parties)


def signed_by(document: SignedDocument, *parties: PartyKeys) -> SignedDocument:
    for party in parties:
        document = sign_document(document, party.card.party_id, party.signing_key)
    return document


def test_an_amendment_reaches_every_service_and_whoever_it_adds_is_known_there(served: Served) -> None:
    joining = new_party("bank", "bank-z", "group-z")
    second = with_bank_z(served.world.trust.agreement, joining.card.signing_key)
    document = signed_by(SignedDocument(second.to_document(), {}), *served.world.parties.values(), joining)
    found = publish(document, served.world.trust, served.network(served.world.parties["bank-a"]))
    assert (sorted(found.accepted), found.failed) == (SERVICES, {})
    for trust in served.held().values():
        assert trust.newest_agreement.hash == second.hash
    # Under the epoch that runs, the version before it holds.
    assert served.held()["broker"].agreement.version == 1
    again = publish(document, served.world.trust, served.network(joining))
    assert sorted([*again.accepted, *again.failed]) == SERVICES


def test_an_amendment_that_lacks_one_signature_is_taken_by_nobody(served: Served) -> None:
    before = served.world.trust.agreement
    second = replace(before, version=2, previous=before.hash, openings_per_day=7)
    signers = [party for name, party in served.world.parties.items() if name != "regulator"]
    document = signed_by(SignedDocument(second.to_document(), {}), *signers)
    found = publish(document, served.world.trust, served.network(served.world.parties["bank-a"]))
    assert found.accepted == []
    assert set(found.failed) == set(SERVICES)
    assert all("lacks a valid signature of: regulator" in reason for reason in found.failed.values())
    assert {trust.newest_agreement.version for trust in served.held().values()} == {1}


def test_a_departure_reaches_who_can_be_reached_and_the_others_at_the_next_attempt(served: Served) -> None:
    agreement = served.world.trust.agreement
    leaving = Departure(agreement.agreement_id, agreement.version, "bank-b", NOW)
    document = served.world.sign(leaving.to_document(), "bank-b")
    served.away = {"holder3"}
    found = publish(document, served.world.trust, served.network(served.world.parties["bank-b"]))
    assert sorted(found.accepted) == ["broker", "holder1", "holder2"]
    assert "cannot be reached" in found.failed["holder3"]
    served.away = set()
    # The party that left may still bring its own departure.
    again = publish(document, served.world.trust, served.network(served.world.parties["bank-b"]))
    assert (sorted(again.accepted), again.failed) == (SERVICES, {})
    assert {trust.departed for trust in served.held().values()} == {frozenset({"bank-b"})}
