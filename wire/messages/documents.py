"""Signed documents (agreement, epoch, roster ...) on their way between parties.

Knows that a document is a JSON object with signatures by party id; what it says is read by policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from wire.fields import Packed, PartyId, list_of
from wire.messages.message import MessageSchema


@dataclass(frozen=True)
class SignedDocument:
    """A document and the signatures (64 bytes each) on it, by party id."""

    document: Mapping[str, Any]
    signatures: Mapping[str, bytes]


class SignedDocumentSchema(MessageSchema[SignedDocument]):
    """JSON form of SignedDocument."""

    message_class = SignedDocument
    document = fields.Dict(keys=fields.String(), required=True)
    signatures = fields.Dict(
        keys=PartyId(), values=Packed(length=64), required=True, validate=validate.Length(max=1000)
    )


@dataclass(frozen=True)
class SignedDocuments:
    """All documents that a service has."""

    documents: tuple[SignedDocument, ...]


class SignedDocumentsSchema(MessageSchema[SignedDocuments]):
    """JSON form of SignedDocuments."""

    message_class = SignedDocuments
    documents = list_of(SignedDocumentSchema, most=10_000)
