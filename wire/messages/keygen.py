"""One message of the distributed key generation between running holders.

Knows who sent which round of which run; the body belongs to crypto.keygen_messages.
"""

from dataclasses import dataclass

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
