"""What counts as the broker's word that a statement was applied: a receipt under its pinned key, for that statement.

Pure: reads no state and sends nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from policies.documents import SignedDocument, verify_signatures
from policies.errors import DocumentRefused
from policies.parties import BROKER
from runtime.exits import ExitCode, UserError
from wire.messages.submission import Receipt
from wire.packed import pack


@dataclass(frozen=True, slots=True)
class Expected:
    """What a receipt must name: the statement's bytes, its place, and how many records it concerns."""

    epoch_id: bytes
    institution_id: str
    seq: int
    statement: bytes


def check_receipt(receipt: Receipt, expected: Expected, broker_key: bytes) -> str:
    """The receipt as JSON, to be kept; raises UserError (exit code 8) unless it is the broker's, for this statement."""
    signed = SignedDocument(dict(receipt.document), {BROKER: receipt.signature})
    try:
        is_signed = signed.type == "receipt" and verify_signatures(signed, {BROKER: broker_key}) == {BROKER}
    except DocumentRefused as refused:
        raise _refused(expected.seq, refused.reason) from None
    if not is_signed:
        raise _refused(expected.seq, "its signature does not hold under the broker's pinned key.")
    wanted = {
        "epoch_id": pack(expected.epoch_id),
        "institution_id": expected.institution_id,
        "seq": expected.seq,
        "statement_hash": pack(statement_hash(expected.statement)),
    }
    for name, value in wanted.items():
        if signed.document.get(name) != value:
            raise _refused(expected.seq, f"it names another {name}.")
    return json.dumps(signed.to_json(), separators=(",", ":"), sort_keys=True)


def statement_hash(statement: bytes) -> bytes:
    """SHA-256 of the statement's bytes (32 bytes): by what receipts and acknowledgements name it."""
    return hashlib.sha256(statement).digest()


def _refused(seq: int, reason: str) -> UserError:
    return UserError(
        f"The broker's receipt for statement {seq} is not accepted: {reason} The statement stays in the outbox.",
        ExitCode.VERIFICATION_FAILED,
    )
