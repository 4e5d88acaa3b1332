"""Statements over the signed documents that the holder has accepted, in their order, and over its own suspensions.

Knows texts and hashes; whether a document holds is decided before it comes here.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from keyholder.store.chains import DOCUMENTS, Head, chain_length, lock_chain, move_head
from keyholder.store.inserting import insert_into, inserts
from keyholder.store.schema import document, suspension


def revision(connection: Connection) -> int:
    """A number that changes whenever a document is accepted."""
    return chain_length(connection, DOCUMENTS)


def lock_documents(connection: Connection) -> None:
    """Wait until no other transaction accepts a document; held until the end."""
    lock_chain(connection, DOCUMENTS)


def is_held(connection: Connection, document_hash: bytes) -> bool:
    """Whether the document with this hash was accepted."""
    query = select(document.c.position).where(document.c.hash == document_hash)
    return connection.execute(query).first() is not None


def document_bodies(connection: Connection) -> list[str]:
    """Every accepted document in its file form, in the order of acceptance."""
    return list(connection.execute(select(document.c.body).order_by(document.c.position)).scalars())


def add_document(connection: Connection, document_hash: bytes, kind: str, body: str, now: int) -> None:
    """Keep a document that has been verified; the caller has locked the documents."""
    head = lock_chain(connection, DOCUMENTS)
    position = head.number + 1
    connection.execute(
        insert(document).values(position=position, hash=document_hash, type=kind, body=body, accepted_at=now)
    )
    move_head(connection, DOCUMENTS, Head(position, document_hash))


def suspended_parties(connection: Connection) -> frozenset[str]:
    """The members and recipients that this holder has suspended for itself."""
    return frozenset(connection.execute(select(suspension.c.party_id)).scalars())


def suspensions(connection: Connection) -> list[tuple[str, int, str]]:
    """Each suspension by party: since when (Unix seconds), and why."""
    rows = connection.execute(select(suspension).order_by(suspension.c.party_id))
    return [(row.party_id, row.since, row.reason) for row in rows]


def suspend(connection: Connection, party_id: str, reason: str, now: int) -> bool:
    """Suspend a party from now on; False where it was suspended already."""
    statement = insert_into(connection, suspension).values(party_id=party_id, since=now, reason=reason)
    return inserts(connection, statement.on_conflict_do_nothing())


def resume(connection: Connection, party_id: str) -> bool:
    """End a suspension; False where there was none."""
    return connection.execute(delete(suspension).where(suspension.c.party_id == party_id)).rowcount == 1
