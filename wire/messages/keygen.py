"""The messages of distributed key generation between holders, and what it gives in public.

Knows who sent which round of which run; the body belongs to crypto.keygen_messages.
"""

from dataclasses import dataclass

from marshmallow import fields, validate

from wire.fields import Kind, Packed, PartyId, Timestamp, Whole
from wire.messages.message import MessageSchema

LONGEST_BODY = 2**20


@dataclass(frozen=True)
class KeygenMessage:
    """Round `round`'s message of holder `sender` (an index) in one attempt for one family, signed by the holder."""

    agreement_id: str
    number: int
    family: str
    attempt: int
    round: int
    sender: int
    body: bytes
    signature: bytes


class KeygenMessageSchema(MessageSchema[KeygenMessage]):
    """JSON form of KeygenMessage."""

    message_class = KeygenMessage
    agreement_id = PartyId(required=True)
    number = Whole(required=True)
    family = Kind(required=True)
    attempt = Whole(most=2**32 - 1, required=True)
    round = Whole(least=1, most=9, required=True)
    sender = Whole(least=1, most=255, required=True)
    body = Packed(max_length=LONGEST_BODY, required=True)
    signature = Packed(length=64, required=True)


@dataclass(frozen=True)
class KeygenReceived:
    """The holder has stored the message, at this time in Unix seconds."""

    received_at: int


class KeygenReceivedSchema(MessageSchema[KeygenReceived]):
    """JSON form of KeygenReceived."""

    message_class = KeygenReceived
    received_at = Timestamp(required=True)


@dataclass(frozen=True)
class GeneratedKey:
    """What everybody may know of a key that was generated: the commitments A_0.. (32 bytes each) and the certificate.

    The certificate is checked with `crypto.keygen.verify_certificate`; the same bytes come out at every holder.
    """

    agreement_id: str
    number: int
    family: str
    attempt: int
    commitments: tuple[bytes, ...]
    certificate: bytes


class GeneratedKeySchema(MessageSchema[GeneratedKey]):
    """JSON form of GeneratedKey, also in the files that `holder keygen` writes and `epoch new` reads."""

    message_class = GeneratedKey
    agreement_id = PartyId(required=True)
    number = Whole(required=True)
    family = Kind(required=True)
    attempt = Whole(most=2**32 - 1, required=True)
    commitments = fields.List(Packed(length=32), required=True, validate=validate.Length(min=1, max=255))
    certificate = Packed(max_length=LONGEST_BODY, required=True)
