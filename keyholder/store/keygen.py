"""Statements over messages of key generation that other holders brought by requests.

Knows bytes by session, round and sender; what they mean is keygen_run's.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from keyholder.store.inserting import insert_into
from keyholder.store.schema import keygen_message


class KeptMessage(NamedTuple):
    """One message: session, round, sender, its body and the sender's signature (64 bytes)."""

    session: bytes
    round: int
    sender: int
    body: bytes
    signature: bytes


def keep_message(connection: Connection, message: KeptMessage, now: int) -> bool:
    """Keep a message unless its sender sent one for this round before; True if that is the very same."""
    connection.execute(
        insert_into(connection, keygen_message).values(**message._asdict(), received_at=now).on_conflict_do_nothing()
    )
    kept = connection.execute(
        select(keygen_message.c.body).where(
            keygen_message.c.session == message.session,
            keygen_message.c.round == message.round,
            keygen_message.c.sender == message.sender,
        )
    ).scalar_one()
    return bytes(kept) == message.body


def messages_of(connection: Connection, session: bytes) -> list[KeptMessage]:
    """Every message of a session that has come in."""
    rows = connection.execute(select(keygen_message).where(keygen_message.c.session == session))
    return [KeptMessage(bytes(r.session), r.round, r.sender, bytes(r.body), bytes(r.signature)) for r in rows]
