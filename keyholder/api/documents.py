"""Signed documents that any enrolled party may bring: they prove themselves, or are refused."""

from __future__ import annotations

from keyholder.holder import Holder
from policies.documents import SignedDocument as PolicyDocument
from policies.errors import DocumentRefused
from wire.access import signed
from wire.messages.documents import SignedDocument
from wire.problems import Problem
from wire.resources import Resource
from wire.service import spend_request_nonce


def documents_resource(holder: Holder) -> Resource:
    """`/v1/documents`."""
    resource = Resource("documents", "documents", description="Documents of the agreement")

    @resource.route("/v1/documents", methods=["POST"])
    @signed("institution", "recipient", "holder", "broker", "auditor", action="bring-document")
    @resource.arguments(SignedDocument)
    @resource.response(204)
    def accept_document(message: SignedDocument) -> None:
        """Accept a document of the agreement that follows what is held and bears the signatures that it needs."""
        try:
            given = PolicyDocument(dict(message.document), message.signatures)
            holder.documents.accept(given, holder.now, spend_request_nonce)
        except DocumentRefused as refused:
            raise Problem(422, "document-refused", "document refused", refused.reason) from None

    return resource
