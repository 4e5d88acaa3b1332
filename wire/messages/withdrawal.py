"""Withdrawals: the signed statement that goes to the broker and every holder, and a holder's acknowledgement.

Knows bytes and lengths; the statement's own form is in crypto.statements.
"""

from dataclasses import dataclass

from wire.fields import Packed, Timestamp
from wire.messages.message import MessageSchema

# 65,536 handles of 16 bytes, and the statement's other fields.
LONGEST_STATEMENT = 65536 * 16 + 1024


@dataclass(frozen=True)
class SignedStatement:
    """A statement's bytes and its institution's signature (64 bytes)."""

    statement: bytes
    signature: bytes


class SignedStatementSchema(MessageSchema[SignedStatement]):
    """JSON form of SignedStatement."""

    message_class = SignedStatement
    statement = Packed(min_length=1, max_length=LONGEST_STATEMENT, required=True)
    signature = Packed(length=64, required=True)


@dataclass(frozen=True)
class Acknowledgement:
    """A holder has stored the withdrawal: SHA-256 of the statement (32 bytes) and when, in Unix seconds."""

    statement_hash: bytes
    acknowledged_at: int


class AcknowledgementSchema(MessageSchema[Acknowledgement]):
    """JSON form of Acknowledgement."""

    message_class = Acknowledgement
    statement_hash = Packed(length=32, required=True)
    acknowledged_at = Timestamp(required=True)
