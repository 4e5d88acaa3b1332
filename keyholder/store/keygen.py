"""Statements over messages of key generation that came in by requests, and this holder's own progress.

Knows bytes by session, round and sender; what they mean is keygen_run's.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from keyholder.store.inserting import insert_into
from keyholder.store.schema import keygen_message, keygen_progress


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


def sessions_of(connection: Connection, sender: int) -> int:
    """For how many sessions a holder has sent messages."""
    found: int = connection.execute(
        select(func.count(keygen_message.c.session.distinct())).where(keygen_message.c.sender == sender)
    ).scalar_one()
    return found


def progress_of(connection: Connection, session: bytes) -> bytes | None:
    """This holder's stored progress in a session."""
    found = connection.execute(
        select(keygen_progress.c.progress).where(keygen_progress.c.session == session)
    ).scalar_one_or_none()
    return None if found is None else bytes(found)


def keep_progress(connection: Connection, session: bytes, progress: bytes) -> None:
    """Store this holder's progress in a session."""
    statement = insert_into(connection, keygen_progress).values(session=session, progress=progress)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[keygen_progress.c.session], set_={"progress": statement.excluded.progress}
        )
    )
