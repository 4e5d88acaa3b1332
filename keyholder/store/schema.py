"""The key holder's tables, as SQLAlchemy Core sees them. The migrations create them; a test holds the two together.

There is no column for an element, a tag or an identifier: what is not kept cannot leak. Knows no query.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
)

from wire.nonces import nonce_table

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

request_nonce: Final = nonce_table(metadata)

document: Final = Table(
    "document",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # from 1, in the order of acceptance
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False),  # the signed document in its file form, JSON
    Column("accepted_at", BigInteger, nullable=False),
)

# The head of each chain; whoever adds a link locks its row.
chain: Final = Table(
    "chain",
    metadata,
    Column("name", String(32), primary_key=True),  # documents or openings
    Column("number", BigInteger, nullable=False),  # how many links there are
    Column("hash", LargeBinary(32), nullable=False),  # of the last link; zeros before the first
)

suspension: Final = Table(
    "suspension",
    metadata,
    Column("party_id", String(64), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

chunk: Final = Table(
    "chunk",
    metadata,
    Column("institution_id", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of the chunk that was charged, protocol section 2
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("charged_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("institution_id", "digest"),
)

budget: Final = Table(
    "budget",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("institution_id", String(64), nullable=False),
    Column("family", String(64), nullable=False),
    Column("spent", BigInteger, nullable=False),  # elements evaluated in the epoch
    PrimaryKeyConstraint("epoch_id", "institution_id", "family"),
)

daily_count: Final = Table(
    "daily_count",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("day", String(10), nullable=False),  # YYYY-MM-DD, UTC
    Column("institution_id", String(64), nullable=False),
    Column("family", String(64), nullable=False),
    Column("elements", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch_id", "day", "institution_id", "family"),
)

counts_document: Final = Table(
    "counts_document",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("day", String(10), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("body", Text, nullable=False),  # the canonical document, JSON
    Column("signature", LargeBinary(64), nullable=False),
    PrimaryKeyConstraint("epoch_id", "day"),
)

withdrawal: Final = Table(
    "withdrawal",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("institution_id", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("statement_hash", LargeBinary(32), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("acknowledged_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch_id", "institution_id", "seq"),
)

withdrawn_handle: Final = Table(
    "withdrawn_handle",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("institution_id", String(64), nullable=False),
    Column("handle", LargeBinary(16), nullable=False),
    PrimaryKeyConstraint("epoch_id", "institution_id", "handle"),
)

opening: Final = Table(
    "opening",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("body", Text, nullable=False),  # the canonical decision, JSON, which holds the hash before it
    Column("signature", LargeBinary(64), nullable=False),
)

opened_record: Final = Table(
    "opened_record",
    metadata,
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("recipient_id", String(64), nullable=False),
    Column("day", String(10), nullable=False),  # YYYY-MM-DD, UTC
    Column("institution_id", String(64), nullable=False),
    Column("handle", LargeBinary(16), nullable=False),
    PrimaryKeyConstraint("epoch_id", "recipient_id", "day", "institution_id", "handle"),
)

keygen_message: Final = Table(
    "keygen_message",
    metadata,
    Column("session", LargeBinary(255), nullable=False),  # protocol section 1: session_id
    Column("round", SmallInteger, nullable=False),
    Column("sender", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("session", "round", "sender"),
)

# The checkpoint that this holder cosigned last. Whoever moves it locks its row.
witnessed: Final = Table(
    "witnessed",
    metadata,
    Column("origin", String(512), primary_key=True),  # the log's name
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),  # the signed note with this holder's cosignature; empty before the first
    Column("cosigned_at", BigInteger, nullable=False),
)

# How far this holder has followed the log's leaves.
followed: Final = Table(
    "followed",
    metadata,
    Column("origin", String(512), primary_key=True),
    Column("position", BigInteger, nullable=False),  # how many leaves are applied
    Column("size", BigInteger, nullable=False),  # of the note's tree
    Column("note", Text, nullable=False),  # the newest checkpoint that continued all before; empty before the first
    Column("reached_at", BigInteger, nullable=False),  # when all leaves of the newest checkpoint were applied last
    Column("newest_at", BigInteger, nullable=False),  # the time in the newest leaf that was applied
)

# Epochs that are not accepted here, with the first leaf of a withdrawal in them: read again once they are.
passed_over: Final = Table(
    "passed_over",
    metadata,
    Column("epoch_id", LargeBinary(32), primary_key=True),
    Column("first", BigInteger, nullable=False),
)
