"""Whose signatures a document needs, and what is said when they are missing or when there are two documents.

Knows keys by party and counts; which document needs what, trust.py says.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.documents import SignedDocument, verify_signatures
from policies.errors import DocumentRefused


def require_all(signed: SignedDocument, keys: Mapping[str, bytes], name: str) -> None:
    """Refuse a document that one of `keys` has not signed; `name` is what it is called."""
    missing = sorted(set(keys) - verify_signatures(signed, keys))
    if missing:
        raise DocumentRefused(f"The {name} lacks a valid signature of: {', '.join(missing)}.")


def require_quorum(signed: SignedDocument, keys: Mapping[str, bytes], quorum: int, name: str) -> None:
    """Refuse a document that fewer than `quorum` of the members behind `keys` have signed."""
    valid = verify_signatures(signed, keys)
    if len(valid) < quorum:
        raise DocumentRefused(f"The {name} carries {len(valid)} valid signatures of members; {quorum} are needed.")


def fork(what: str, held: bytes, other: bytes) -> DocumentRefused:
    """What is raised for a second document in one place."""
    return DocumentRefused(
        f"There are two signed documents for {what}: {held.hex()} is held, {other.hex()} is refused; its signers must "
        "say why."
    )
