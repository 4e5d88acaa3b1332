"""The tables of the transparency log and of what auditors read, beside those of broker.store.schema.

Rows of the log are never changed: leaves wait in `log_pending`, get their place once, and stay. Knows no query.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
)

from broker.store.schema import metadata

# SQLite numbers rows by itself only in a column that is called an integer.
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

# Leaves of committed transactions that have no place in the tree yet.
log_pending = Table(
    "log_pending",
    metadata,
    Column("serial", _SERIAL, primary_key=True, autoincrement=True),
    Column("leaf", LargeBinary, nullable=False),
)

# One row, there from the beginning: whoever gives places in the tree holds it.
log_state = Table(
    "log_state",
    metadata,
    Column("log", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False, comment="leaves that have a place"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False, comment="the leaf hash of RFC 6962"),
    Column("leaf", LargeBinary, nullable=False),
    Index(None, "hash"),
)

# Full tiles alone; those at the tree's edge are read out of what stands below them.
log_tile = Table(
    "log_tile",
    metadata,
    Column("level", SmallInteger, nullable=False),
    Column("tile", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False, comment="the hash that this tile is one level up"),
    Column("hashes", LargeBinary, nullable=False, comment="256 hashes of 32 bytes"),
    PrimaryKeyConstraint("level", "tile"),
)

log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False, comment="the signed note with the log's own signature alone"),
    Column("made_at", BigInteger, nullable=False),
)

log_cosignature = Table(
    "log_cosignature",
    metadata,
    Column("size", BigInteger, nullable=False),
    Column("name", String(512), nullable=False, comment="the witness's key name"),
    Column("line", Text, nullable=False, comment="the signature line of the note"),
    Column("cosigned_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("size", "name"),
)

# Who was here on which day, so that the day's first visit becomes a leaf and the others do not.
login = Table(
    "login",
    metadata,
    Column("party_id", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    PrimaryKeyConstraint("day", "party_id"),
)

# What depends on a match. An event waits without an hour until an hour's activity has room for it.
activity_event = Table(
    "activity_event",
    metadata,
    Column("serial", _SERIAL, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("salt", LargeBinary(16), nullable=False),
    Column("event", Text, nullable=False, comment="RFC 8785 JSON"),
    Column("hour", BigInteger, nullable=True, comment="the first second of the hour whose leaf covers it"),
    Column("place", SmallInteger, nullable=True, comment="among the hour's commitments"),
    Index(None, "hour", "serial"),
)

activity_hour = Table(
    "activity_hour",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("commitments", LargeBinary, nullable=False, comment="1024 of 32 bytes, those of nothing included"),
    Column("secret", LargeBinary(32), nullable=False, comment="from which the commitments to nothing follow"),
)

# The holders' signed daily counts that have become leaves: the end of each chain is the newest day.
counted_day = Table(
    "counted_day",
    metadata,
    Column("holder", SmallInteger, nullable=False),
    Column("epoch_id", LargeBinary(32), nullable=False),
    Column("day", String(10), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("epoch_id", "holder", "day"),
)

# Institutions whose suspension was lifted: what they hold in the index is matched again, from a record on.
rematch = Table(
    "rematch",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("after", BigInteger, nullable=False, comment="the last record that was matched again"),
    PrimaryKeyConstraint("epoch", "institution"),
)
