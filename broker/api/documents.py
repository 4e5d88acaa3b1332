"""Signed documents: anybody enrolled can fetch and bring them. The broker passes them on; it can assert nothing.

What is brought is verified against the pinned agreement; what is fetched, its readers verify again.
"""

from __future__ import annotations

from sqlalchemy import Connection

from broker.context import broker_context
from broker.directory import kept_documents
from policies import documents as policy_documents
from policies.errors import DocumentRefused
from runtime.database import read_transaction, run_in_transaction
from wire.access import signed
from wire.messages.documents import SignedDocument, SignedDocuments
from wire.problems import Problem
from wire.resources import Resource
from wire.service import spend_request_nonce

resource = Resource("documents", __name__, url_prefix="/v1/documents", description="What everybody signed")

EVERYBODY = ("institution", "recipient", "holder", "broker", "auditor")


@resource.route("", methods=["GET"])
@signed(*EVERYBODY, action="fetch-documents")
@resource.response(200, SignedDocuments)
def list_documents() -> SignedDocuments:
    """All documents: the agreement, epochs, rosters."""
    with read_transaction(broker_context().engine) as connection:
        kept = kept_documents(connection)
    return SignedDocuments(tuple(SignedDocument(one.document, one.signatures) for one in kept))


@resource.route("", methods=["POST"])
@signed(*EVERYBODY, action="bring-document")
@resource.arguments(SignedDocument)
@resource.response(204)
def accept_document(message: SignedDocument) -> None:
    """Bring a document: refused unless those whom the pinned agreement names have signed it."""
    broker = broker_context()

    def work(connection: Connection) -> None:
        spend_request_nonce(connection)
        signed_document = policy_documents.SignedDocument.from_json(
            policy_documents.SignedDocument(dict(message.document), message.signatures).to_json()
        )
        broker.directory.accept(connection, signed_document, broker.now)

    try:
        run_in_transaction(broker.engine, work)
    except DocumentRefused as refused:
        raise Problem(422, "document-refused", "document refused", refused.reason) from None
