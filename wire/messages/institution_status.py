"""What the broker tells an institution about its own state.

Holds nothing that depends on a match, and must never come to.
"""

from dataclasses import dataclass

from marshmallow import fields

from wire.fields import Packed, Whole
from wire.messages.message import MessageSchema
from wire.messages.submission import Receipt, ReceiptSchema


@dataclass(frozen=True)
class InstitutionStatus:
    """The epoch, the last sequence number applied (0: none yet), live records, and the last receipt."""

    epoch_id: bytes
    last_seq: int
    records_live: int
    last_receipt: Receipt | None = None


class InstitutionStatusSchema(MessageSchema[InstitutionStatus]):
    """JSON form of InstitutionStatus."""

    message_class = InstitutionStatus
    epoch_id = Packed(length=32, required=True)
    last_seq = Whole(required=True)
    records_live = Whole(required=True)
    last_receipt = fields.Nested(ReceiptSchema, allow_none=True, load_default=None)
