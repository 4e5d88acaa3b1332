"""Signed receipts: the broker's word that it applied a statement. The same statement always gets the same receipt.

A receipt says nothing that depends on a match. Knows the document's form; when one is given, ingest decides.
"""

from __future__ import annotations

import hashlib
import json

from crypto.signatures import SigningKey
from policies.documents import sign_document
from policies.parties import BROKER
from wire.messages.message import encode_message, schema_of
from wire.messages.submission import Receipt
from wire.packed import pack

RECEIPT_TYPE = "crosslight/v1 receipt"


def make_receipt(
    signing_key: SigningKey,
    *,
    epoch_id: bytes,
    institution_id: str,
    seq: int,
    statement: bytes,
    received_at: int,
    records: int,
) -> str:
    """The signed receipt as JSON text: `records` is how many a submission brought or a withdrawal named."""
    document = {
        "type": RECEIPT_TYPE,
        "epoch_id": pack(epoch_id),
        "institution_id": institution_id,
        "seq": seq,
        "statement_hash": pack(hashlib.sha256(statement).digest()),
        "received_at": received_at,
        "records": records,
        "broker": BROKER,
    }
    signature = sign_document(document, BROKER, signing_key).signatures[BROKER]
    return encode_message(Receipt(document, signature)).decode()


def read_receipt(text: str) -> Receipt:
    """The receipt that `make_receipt` wrote."""
    receipt: Receipt = schema_of(Receipt).load(json.loads(text))
    return receipt


def received_at(text: str) -> int:
    """When the statement of a receipt (JSON text) was applied, in Unix seconds: the time in its leaf."""
    at = json.loads(text)["document"]["received_at"]
    return int(at)
