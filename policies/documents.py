"""Signed documents: RFC 8785 JSON in one canonical form, hashed and signed under a label, signatures outside.

Protocol section 1. Knows how a document is written, hashed and signed; not what any field means, nor whose key is
whose: that is trust.py's.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from crypto.signatures import SIGNATURE_LENGTH, SigningKey, is_valid
from policies.document_fields import is_party_id
from policies.document_values import check_value
from policies.errors import DocumentRefused
from wire.packed import InvalidPacked, pack, unpack
from wire.strict_json import InvalidJson, parse_json

HASH_LENGTH = 32
FILE_LIMIT = 16 * 1024 * 1024
"""Bytes of the longest document file that is read."""

Document = dict[str, Any]

_TYPE_PREFIX = "crosslight/v1 "
_TYPES = frozenset(
    f"{_TYPE_PREFIX}{name}"
    for name in (
        "agreement",
        "suspension",
        "departure",
        "epoch",
        "roster",
        "refresh",
        "completeness",
        "destruction",
        "receipt",
        "counts",
        "recipient-key",
        "report",
    )
)


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A document and the signatures of parties over it, each 64 bytes, by party id. Nothing is verified yet."""

    document: Document
    signatures: Mapping[str, bytes]

    @property
    def type(self) -> str:
        """The document's type without its prefix: "epoch", "roster" ..."""
        return document_type(self.document)

    @property
    def hash(self) -> bytes:
        """The document's 32-byte hash."""
        return document_hash(self.document)

    def to_json(self) -> dict[str, Any]:
        """The form in files: {"document": ..., "signatures": {party: base64url}}."""
        signatures = {party: pack(signature) for party, signature in sorted(self.signatures.items())}
        return {"document": self.document, "signatures": signatures}

    @classmethod
    def from_json(cls, value: object) -> SignedDocument:
        """Read the form in files; raises DocumentRefused."""
        if not isinstance(value, dict) or set(value) != {"document", "signatures"}:
            raise DocumentRefused('A signed document is an object of exactly "document" and "signatures".')
        document, signatures = value["document"], value["signatures"]
        if not isinstance(document, dict) or not isinstance(signatures, dict):
            raise DocumentRefused('"document" and "signatures" must both be objects.')
        canonical(document)
        document_type(document)
        return cls(document, {party: _read_signature(party, text) for party, text in signatures.items()})

    def merged(self, other: SignedDocument) -> SignedDocument:
        """The same document with both sides' signatures; raises DocumentRefused if it is not the same."""
        if self.hash != other.hash:
            raise DocumentRefused("Signatures of different documents cannot be merged: the hashes differ.")
        return SignedDocument(self.document, {**other.signatures, **self.signatures})


def canonical(document: Mapping[str, Any]) -> bytes:
    """The RFC 8785 bytes; raises DocumentRefused for what a document may not hold.

    That is: numbers that are not integers from 0 to below 2^53, text that is not NFC, null.
    """
    check_value(document, "document")
    return rfc8785.dumps(dict(document))


def document_type(document: Mapping[str, Any]) -> str:
    """The type without its prefix; raises DocumentRefused where there is none that Crosslight signs."""
    full = document.get("type")
    if not isinstance(full, str) or full not in _TYPES:
        raise DocumentRefused(f'The document has no known type; a type reads like "{_TYPE_PREFIX}epoch".')
    return full.removeprefix(_TYPE_PREFIX)


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """`label | canonical bytes`: what is hashed and what is signed. The label is the type and a zero byte."""
    document_type(document)
    return str(document["type"]).encode() + b"\x00" + canonical(document)


def document_hash(document: Mapping[str, Any]) -> bytes:
    """SHA-256 over `label | canonical bytes`, 32 bytes."""
    return hashlib.sha256(signed_bytes(document)).digest()


def sign_document(signed: SignedDocument | Document, party_id: str, signing_key: SigningKey) -> SignedDocument:
    """The document with `party_id`'s signature added (or replaced)."""
    if not isinstance(signed, SignedDocument):
        signed = SignedDocument(signed, {})
    signature = signing_key.sign(signed_bytes(signed.document))
    return SignedDocument(signed.document, {**signed.signatures, party_id: signature})


def verify_signatures(signed: SignedDocument, keys: Mapping[str, bytes]) -> set[str]:
    """The parties of `keys` whose signature is there and holds under their key; others are not counted."""
    message = signed_bytes(signed.document)
    return {
        party
        for party, key in keys.items()
        if party in signed.signatures and is_valid(key, message, signed.signatures[party])
    }


def read_json_file(path: Path) -> object:
    """Parse the JSON file at `path`; raises DocumentRefused naming it."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise DocumentRefused(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > FILE_LIMIT:
        raise DocumentRefused(f"{path} is longer than any document ({FILE_LIMIT} bytes).")
    return parse_document(content, str(path))


def parse_document(content: bytes, name: str) -> object:
    """Parse JSON as strictly as messages are parsed; raises DocumentRefused naming it `name`."""
    try:
        return parse_json(content)
    except InvalidJson as error:
        raise DocumentRefused(f"{name} is not a document: {error}.") from None


def read_document_file(path: Path) -> SignedDocument:
    """The signed document in the file at `path`; raises DocumentRefused naming it."""
    value = read_json_file(path)
    try:
        return SignedDocument.from_json(value)
    except DocumentRefused as refused:
        raise DocumentRefused(f"{path}: {refused.reason}") from None


def write_document_file(path: Path, signed: SignedDocument) -> None:
    """Write the signed document for people and programs to read, atomically."""
    write_json_file(path, signed.to_json())


def write_json_file(path: Path, value: object) -> None:
    """Write `value` as indented JSON, atomically."""
    write_file(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_file(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Write a text file (public unless `mode` says otherwise) atomically: a crash leaves the old or the new one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_signature(party: str, text: object) -> bytes:
    if not is_party_id(party):
        raise DocumentRefused("A signature is listed under something that is no party's id.")
    try:
        signature = unpack(text) if isinstance(text, str) else b""
    except InvalidPacked:
        signature = b""
    if len(signature) != SIGNATURE_LENGTH:
        raise DocumentRefused(f"The signature of {party} is not 64 bytes in base64url without padding.")
    return signature
