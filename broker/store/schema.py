"""The broker's tables, as SQLAlchemy Core sees them. The migrations create them; a test holds the two together.

Every key holds the epoch (and the index leads with the tag), so that a deployment can partition the tables. No two
indexes of a large table begin alike: a planner without statistics cannot take the wrong one. Knows no query.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from wire.nonces import nonce_table

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PART_RECORDS: Final = 512
"""Records in every part of a submission but its last."""

RECORD_SPAN: Final = 2**32
"""A record's number is its submission's number times this, plus its place in the submission (a u32)."""

# What `submission.state` holds.
OPEN: Final = "open"
COMMITTED: Final = "committed"

# What `entry.proof` holds: whether the entry comes with a possession signature (verified only where its tag meets).
NO_PROOF: Final = 0
PROOF: Final = 1

# What `set_aside.reason` holds.
CAP: Final = 1
POSSESSION: Final = 2
OTHER_KEY: Final = 3

# What `tombstone.reason` holds.
WITHDRAWN: Final = 1
EXPIRED: Final = 2
DEPARTED: Final = 3

# What `alert.state` holds. A quiet component has never been shown to anyone.
QUIET: Final = "quiet"
RAISED: Final = "raised"
CLOSED: Final = "closed"

nonce = nonce_table(metadata)

document = Table(
    "document",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False, comment="the signed document in its file form, JSON"),
    Column("accepted_at", BigInteger, nullable=False),
)

epoch = Table(
    "epoch",
    metadata,
    Column("epoch", SmallInteger, primary_key=True, autoincrement=False, comment="this broker's short number for it"),
    Column("epoch_id", LargeBinary(32), nullable=False, unique=True),
    Column("roster_version", BigInteger, nullable=False, comment="the newest roster that the tables follow"),
)

kind = Table(
    "kind",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("name", String(64), nullable=False),
    PrimaryKeyConstraint("epoch", "kind"),
    UniqueConstraint("epoch", "name"),
    ForeignKeyConstraint(["epoch"], ["epoch.epoch"]),
)

institution = Table(
    "institution",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("institution_id", String(64), nullable=False),
    Column("group_id", String(64), nullable=False, comment="never changes within an epoch"),
    Column("active", Boolean, nullable=False, comment="whether the newest roster names it"),
    Column("last_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch", "institution"),
    UniqueConstraint("epoch", "institution_id"),
    ForeignKeyConstraint(["epoch"], ["epoch.epoch"]),
)

# The last number given to a submission, and to an alert: of all epochs together, so that a number names one alone.
counter = Table(
    "counter",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

submission = Table(
    "submission",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("submission", BigInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("idempotency_key", LargeBinary(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False, comment="as many as the statement counts"),
    Column("parts", BigInteger, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("roster_version", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False, comment="the sealed batch secrets as they were sent, JSON"),
    Column("sealed_ref", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("receipt", Text, nullable=True, comment="the signed receipt, JSON"),
    Column("matched", BigInteger, nullable=False, comment="records from the first on that matching has seen"),
    Column("next_expiry", BigInteger, nullable=True, comment="the earliest expiry among its live records"),
    PrimaryKeyConstraint("epoch", "submission"),
    UniqueConstraint("epoch", "institution", "idempotency_key"),
    ForeignKeyConstraint(["epoch", "institution"], ["institution.epoch", "institution.institution"]),
)

part = Table(
    "part",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("submission", BigInteger, nullable=False),
    Column("part", BigInteger, nullable=False),
    Column("body_hash", LargeBinary(32), nullable=False),
    Column("leaves", LargeBinary, nullable=False, comment="32 bytes a record, kept for the paths of those that stay"),
    Column("root", LargeBinary(32), nullable=False),
    Column("earliest_expiry", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch", "submission", "part"),
    ForeignKeyConstraint(["epoch", "submission"], ["submission.epoch", "submission.submission"], ondelete="CASCADE"),
)

# What a part's records bring to the index, packed, so that matching need not read the records again. Gone once matched.
arrival = Table(
    "arrival",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("submission", BigInteger, nullable=False),
    Column("part", BigInteger, nullable=False),
    Column("entries", LargeBinary, nullable=False, comment="see broker.store.arrivals"),
    PrimaryKeyConstraint("epoch", "submission", "part"),
    ForeignKeyConstraint(
        ["epoch", "submission", "part"], ["part.epoch", "part.submission", "part.part"], ondelete="CASCADE"
    ),
)

# Rows of a submission that is still open are here too: nothing reads them before it is committed.
record = Table(
    "record",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("handle", LargeBinary(16), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="head, salts, entries and envelope as they were sent"),
    PrimaryKeyConstraint("record_id", "epoch"),
    UniqueConstraint("handle", "institution", "epoch"),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("handle", LargeBinary(16), nullable=False),
    Column("reason", SmallInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("handle", "institution", "epoch"),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("receipt", Text, nullable=False),
    PrimaryKeyConstraint("epoch", "institution", "seq"),
    ForeignKeyConstraint(["epoch", "institution"], ["institution.epoch", "institution.institution"]),
)

# The index. Only committed records are in it; what was set aside is not. Narrow, and led by the tag.
entry = Table(
    "entry",
    metadata,
    Column("record_id", BigInteger, nullable=False),
    Column("tag", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("proof", SmallInteger, nullable=False),
    PrimaryKeyConstraint("tag", "kind", "epoch", "record_id"),
    Index(None, "record_id"),
    sqlite_with_rowid=False,
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("record_id", BigInteger, nullable=False),
    Column("tag", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("proof", SmallInteger, nullable=False),
    Column("reason", SmallInteger, nullable=False),
    PrimaryKeyConstraint("tag", "kind", "epoch", "record_id"),
    Index(None, "record_id"),
    sqlite_with_rowid=False,
)

# Records whose rows are gone and whose entries the worker has still to take out of the index.
removal = Table(
    "removal",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("record_id", "epoch"),
)

# A tag under which entries of at least two groups stand, all of whose possessions held; it joins its records.
meeting = Table(
    "meeting",
    metadata,
    Column("tag", LargeBinary(16), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
    Column("alert", BigInteger, nullable=False),
    Column("public_key", LargeBinary, nullable=False, comment="the one key under the tag; empty in support kinds"),
    PrimaryKeyConstraint("tag", "kind", "epoch"),
    Index(None, "alert", "epoch"),
    sqlite_with_rowid=False,
)

# One connected component. It is an alert to the recipients once the opening rule has held for a record in it.
alert = Table(
    "alert",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("alert", BigInteger, nullable=False),
    Column("alert_id", String(32), nullable=False, comment="random: the name that recipients see, 16 bytes in hex"),
    Column("state", String(8), nullable=False),
    Column("raised_at", BigInteger, nullable=True),
    Column("changed_at", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("opening", BigInteger, nullable=False, comment="records that the rule opens"),
    Column("score", BigInteger, nullable=False),
    Column("institutions", Text, nullable=False, comment="ids, a JSON list"),
    Column("kinds", Text, nullable=False, comment="kinds that meet, a JSON list"),
    Column("valid_until", BigInteger, nullable=True, comment="the earliest expiry of a member: then judge again"),
    Column("stale", Boolean, nullable=False, comment="a member or a tag left: connect and judge again"),
    PrimaryKeyConstraint("alert", "epoch"),
    UniqueConstraint("alert_id", "epoch"),
    Index(None, "state", "epoch", "alert"),
)

alert_record = Table(
    "alert_record",
    metadata,
    Column("epoch", SmallInteger, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    Column("alert", BigInteger, nullable=False),
    Column("institution", SmallInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("opens", Boolean, nullable=False),
    PrimaryKeyConstraint("record_id", "epoch"),
    Index(None, "alert", "epoch"),
)
