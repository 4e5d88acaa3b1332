"""A submission: its statement with the sealed secrets, its parts of packed records, its receipt and its state.

Knows forms and lengths; the records' own form is in crypto.records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from wire.fields import Ascending, Packed, PartyId, Whole, list_of
from wire.messages.message import MessageSchema

PART_LIMIT = 512
MOST_PARTS = 2**20
# What fits into a request body of 8 MiB as base64url, with room for the JSON around it.
LONGEST_PART = 6 * 2**20


@dataclass(frozen=True)
class SealedSecretMessage:
    """The batch secret, HPKE-sealed to one key (id of 8 bytes) of one recipient."""

    recipient_id: str
    key_id: bytes
    enc: bytes
    ciphertext: bytes


class SealedSecretMessageSchema(MessageSchema[SealedSecretMessage]):
    """JSON form of SealedSecretMessage."""

    message_class = SealedSecretMessage
    recipient_id = PartyId(required=True)
    key_id = Packed(length=8, required=True)
    enc = Packed(length=1120, required=True)
    ciphertext = Packed(length=48, required=True)


@dataclass(frozen=True)
class OpenSubmission:
    """Begins (or, sent again, continues) a submission: signed statement, roster version, sealed secrets, parts."""

    statement: bytes
    signature: bytes
    roster_version: int
    sealed: tuple[SealedSecretMessage, ...]
    parts: int


class OpenSubmissionSchema(MessageSchema[OpenSubmission]):
    """JSON form of OpenSubmission."""

    message_class = OpenSubmission
    statement = Packed(min_length=1, max_length=1024, required=True)
    signature = Packed(length=64, required=True)
    roster_version = Whole(least=1, most=2**32 - 1, required=True)
    sealed = list_of(SealedSecretMessageSchema, least=1, most=1000)
    parts = Whole(least=1, most=MOST_PARTS, required=True)


@dataclass(frozen=True)
class SubmissionPart:
    """One part: 1 to 512 records as crypto.records.pack_records packs them."""

    records: bytes


class SubmissionPartSchema(MessageSchema[SubmissionPart]):
    """JSON form of SubmissionPart."""

    message_class = SubmissionPart
    records = Packed(min_length=1, max_length=LONGEST_PART, required=True)


@dataclass(frozen=True)
class Receipt:
    """A receipt document and the broker's signature (64 bytes) on it."""

    document: Mapping[str, Any]
    signature: bytes


class ReceiptSchema(MessageSchema[Receipt]):
    """JSON form of Receipt."""

    message_class = Receipt
    document = fields.Dict(keys=fields.String(), required=True)
    signature = Packed(length=64, required=True)


@dataclass(frozen=True)
class SubmissionStatus:
    """Whether a submission is `open` or `committed`, which parts (from 0) are missing, and its receipt if committed."""

    state: str
    missing: tuple[int, ...]
    receipt: Receipt | None = None


class SubmissionStatusSchema(MessageSchema[SubmissionStatus]):
    """JSON form of SubmissionStatus."""

    message_class = SubmissionStatus
    state = fields.String(required=True, validate=validate.OneOf(["open", "committed"]))
    missing = Ascending(most=MOST_PARTS - 1, longest=MOST_PARTS, required=True)
    receipt = fields.Nested(ReceiptSchema, allow_none=True, load_default=None)
