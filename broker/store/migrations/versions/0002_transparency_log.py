"""The transparency log, the activity that waits for its hour, log-ins, the holders' counts, what is matched again.

Written out rather than taken from the schema module, which moves on; a test holds the two together.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and the one row that whoever gives places in the tree holds."""
    _create_log()
    _create_activity()
    op.create_table(
        "login",
        sa.Column("party_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("day", "party_id", name=op.f("pk_login")),
    )
    op.create_table(
        "counted_day",
        sa.Column("holder", sa.SmallInteger(), nullable=False),
        sa.Column("epoch_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "holder", "day", name=op.f("pk_counted_day")),
    )
    op.create_table(
        "rematch",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False, comment="the last record that was matched again"),
        sa.PrimaryKeyConstraint("epoch", "institution", name=op.f("pk_rematch")),
    )


def _create_log() -> None:
    op.create_table(
        "log_pending",
        sa.Column("serial", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_log_pending")),
    )
    state = op.create_table(
        "log_state",
        sa.Column("log", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="leaves that have a place"),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_log_state")),
    )
    op.bulk_insert(state, [{"log": 1, "size": 0}])
    op.create_table(
        "log_leaf",
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False, comment="the leaf hash of RFC 6962"),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_log_leaf")),
    )
    op.create_index(op.f("ix_log_leaf_hash"), "log_leaf", ["hash"], unique=False)
    op.create_table(
        "log_tile",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("tile", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False, comment="the hash that this tile is one level up"),
        sa.Column("hashes", sa.LargeBinary(), nullable=False, comment="256 hashes of 32 bytes"),
        sa.PrimaryKeyConstraint("level", "tile", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False, comment="the signed note with the log's own signature alone"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoint")),
    )
    op.create_table(
        "log_cosignature",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False, comment="the witness's key name"),
        sa.Column("line", sa.Text(), nullable=False, comment="the signature line of the note"),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", "name", name=op.f("pk_log_cosignature")),
    )


def _create_activity() -> None:
    op.create_table(
        "activity_event",
        sa.Column("serial", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("event", sa.Text(), nullable=False, comment="RFC 8785 JSON"),
        sa.Column("hour", sa.BigInteger(), nullable=True, comment="the first second of the hour whose leaf covers it"),
        sa.Column("place", sa.SmallInteger(), nullable=True, comment="among the hour's commitments"),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_activity_event")),
    )
    op.create_index(op.f("ix_activity_event_hour_serial"), "activity_event", ["hour", "serial"], unique=False)
    op.create_table(
        "activity_hour",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "commitments",
            sa.LargeBinary(),
            nullable=False,
            comment="1024 of 32 bytes, those of nothing included",
        ),
        sa.Column(
            "secret",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="from which the commitments to nothing follow",
        ),
        sa.PrimaryKeyConstraint("hour", name=op.f("pk_activity_hour")),
    )
