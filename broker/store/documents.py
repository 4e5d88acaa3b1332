"""The signed documents that the broker keeps, in the form of their files. Knows JSON texts and hashes; trusts none."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from broker.store.schema import document


def count_documents(connection: Connection) -> int:
    """How many documents there are; none is ever changed or deleted."""
    return connection.execute(select(func.count()).select_from(document)).scalar_one()


def all_documents(connection: Connection, *, lock: bool = False) -> list[str]:
    """Every document's JSON text; with `lock`, nobody else reads them so until the transaction ends."""
    query = select(document.c.body).order_by(document.c.accepted_at, document.c.hash)
    return list(connection.execute(query.with_for_update() if lock else query).scalars())


def has_document(connection: Connection, document_hash: bytes) -> bool:
    """Whether the document with a 32-byte hash is kept."""
    query = select(document.c.hash).where(document.c.hash == document_hash)
    return connection.execute(query).scalar_one_or_none() is not None


def add_document(connection: Connection, document_hash: bytes, kind_of: str, body: str, now: int) -> None:
    """Keep a document that was verified."""
    row = {"hash": document_hash, "type": kind_of, "body": body, "accepted_at": now}
    connection.execute(insert(document), row)
