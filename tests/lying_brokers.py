"""A broker that serves whatever documents and alerts it is told to, properly signed under its own pinned key."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from broker.store.schema import nonce
from policies.documents import SignedDocument
from policies.parties import BROKER
from tests.institutions import Agreement
from wire.access import Caller, signed
from wire.messages import documents as messages
from wire.resources import Resource
from wire.service import create_service


def serve_documents(agreement: Agreement, documents: Sequence[SignedDocument]) -> None:
    """From now on the way to the broker leads to one that has these documents to offer."""
    resource = Resource("documents", "documents", description="Documents")

    @resource.route("/v1/documents", methods=["GET"])
    @signed("institution", "recipient", action="try")
    @resource.response(200, messages.SignedDocuments)
    def list_documents() -> messages.SignedDocuments:
        """What it was told to serve."""
        listed = [messages.SignedDocument(each.document, each.signatures) for each in documents]
        return messages.SignedDocuments(tuple(listed))

    def resolve(party_id: str, key_id_hex: str) -> Caller | None:
        found = agreement.world.trust.caller(party_id, key_id_hex)
        return None if found is None else Caller(party_id, found[1], found[0])

    app = create_service(
        BROKER,
        signing_key=agreement.world.parties[BROKER].signing_key,
        party_id=BROKER,
        resolve=resolve,
        base_url=agreement.world.trust.agreement.broker.address,
        clock=agreement.broker.clock,
        engine=agreement.broker.engine,
        nonce_table=nonce,
        resources=[resource],
    )
    agreement.gates[BROKER].inner = httpx.WSGITransport(app=app)
