"""The first tables: documents, epochs, submissions, records, the index, alerts.

Written out rather than taken from the schema module, which moves on; a test holds the two together.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "alert",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.Column(
            "alert_id",
            sa.String(length=32),
            nullable=False,
            comment="random: the name that recipients see, 16 bytes in hex",
        ),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("opening", sa.BigInteger(), nullable=False, comment="records that the rule opens"),
        sa.Column("score", sa.BigInteger(), nullable=False),
        sa.Column("institutions", sa.Text(), nullable=False, comment="ids, a JSON list"),
        sa.Column("kinds", sa.Text(), nullable=False, comment="kinds that meet, a JSON list"),
        sa.Column(
            "valid_until", sa.BigInteger(), nullable=True, comment="the earliest expiry of a member: then judge again"
        ),
        sa.Column("stale", sa.Boolean(), nullable=False, comment="a member or a tag left: connect and judge again"),
        sa.PrimaryKeyConstraint("alert", "epoch", name=op.f("pk_alert")),
        sa.UniqueConstraint("alert_id", "epoch", name=op.f("uq_alert_alert_id_epoch")),
    )
    op.create_index(op.f("ix_alert_state_epoch_alert"), "alert", ["state", "epoch", "alert"], unique=False)
    op.create_table(
        "alert_record",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("opens", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "epoch", name=op.f("pk_alert_record")),
    )
    op.create_index(op.f("ix_alert_record_alert_epoch"), "alert_record", ["alert", "epoch"], unique=False)
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "document",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="the signed document in its file form, JSON"),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_document")),
    )
    op.create_table(
        "entry",
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("proof", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "kind", "epoch", "record_id", name=op.f("pk_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_entry_record_id"), "entry", ["record_id"], unique=False)
    op.create_table(
        "epoch",
        sa.Column(
            "epoch", sa.SmallInteger(), autoincrement=False, nullable=False, comment="this broker's short number for it"
        ),
        sa.Column("epoch_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "roster_version", sa.BigInteger(), nullable=False, comment="the newest roster that the tables follow"
        ),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_epoch")),
        sa.UniqueConstraint("epoch_id", name=op.f("uq_epoch_epoch_id")),
    )
    op.create_table(
        "meeting",
        sa.Column("tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.Column(
            "public_key", sa.LargeBinary(), nullable=False, comment="the one key under the tag; empty in support kinds"
        ),
        sa.PrimaryKeyConstraint("tag", "kind", "epoch", name=op.f("pk_meeting")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_meeting_alert_epoch"), "meeting", ["alert", "epoch"], unique=False)
    op.create_table(
        "record",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("handle", sa.LargeBinary(length=16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="head, salts, entries and envelope as they were sent"
        ),
        sa.PrimaryKeyConstraint("record_id", "epoch", name=op.f("pk_record")),
        sa.UniqueConstraint("handle", "institution", "epoch", name=op.f("uq_record_handle_institution_epoch")),
    )
    op.create_table(
        "removal",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "epoch", name=op.f("pk_removal")),
    )
    op.create_table(
        "request_nonce",
        sa.Column("key_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=16), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "nonce", name=op.f("pk_request_nonce")),
    )
    op.create_index(op.f("ix_request_nonce_seen_at"), "request_nonce", ["seen_at"], unique=False)
    op.create_table(
        "set_aside",
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("proof", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "kind", "epoch", "record_id", name=op.f("pk_set_aside")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_set_aside_record_id"), "set_aside", ["record_id"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("handle", sa.LargeBinary(length=16), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handle", "institution", "epoch", name=op.f("pk_tombstone")),
    )
    op.create_table(
        "institution",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("institution_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False, comment="never changes within an epoch"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="whether the newest roster names it"),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["epoch"], ["epoch.epoch"], name=op.f("fk_institution_epoch")),
        sa.PrimaryKeyConstraint("epoch", "institution", name=op.f("pk_institution")),
        sa.UniqueConstraint("epoch", "institution_id", name=op.f("uq_institution_epoch_institution_id")),
    )
    op.create_table(
        "kind",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["epoch"], ["epoch.epoch"], name=op.f("fk_kind_epoch")),
        sa.PrimaryKeyConstraint("epoch", "kind", name=op.f("pk_kind")),
        sa.UniqueConstraint("epoch", "name", name=op.f("uq_kind_epoch_name")),
    )
    op.create_table(
        "submission",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("submission", sa.BigInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("idempotency_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="as many as the statement counts"),
        sa.Column("parts", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("roster_version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False, comment="the sealed batch secrets as they were sent, JSON"),
        sa.Column("sealed_ref", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True, comment="the signed receipt, JSON"),
        sa.Column(
            "matched", sa.BigInteger(), nullable=False, comment="records from the first on that matching has seen"
        ),
        sa.Column("next_expiry", sa.BigInteger(), nullable=True, comment="the earliest expiry among its live records"),
        sa.ForeignKeyConstraint(
            ["epoch", "institution"],
            ["institution.epoch", "institution.institution"],
            name=op.f("fk_submission_epoch_institution"),
        ),
        sa.PrimaryKeyConstraint("epoch", "submission", name=op.f("pk_submission")),
        sa.UniqueConstraint(
            "epoch", "institution", "idempotency_key", name=op.f("uq_submission_epoch_institution_idempotency_key")
        ),
    )
    op.create_table(
        "withdrawal",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("institution", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["epoch", "institution"],
            ["institution.epoch", "institution.institution"],
            name=op.f("fk_withdrawal_epoch_institution"),
        ),
        sa.PrimaryKeyConstraint("epoch", "institution", "seq", name=op.f("pk_withdrawal")),
    )
    op.create_table(
        "part",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("submission", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "leaves",
            sa.LargeBinary(),
            nullable=False,
            comment="32 bytes a record, kept for the paths of those that stay",
        ),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("earliest_expiry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["epoch", "submission"],
            ["submission.epoch", "submission.submission"],
            name=op.f("fk_part_epoch_submission"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("epoch", "submission", "part", name=op.f("pk_part")),
    )
    op.create_table(
        "arrival",
        sa.Column("epoch", sa.SmallInteger(), nullable=False),
        sa.Column("submission", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False, comment="see broker.store.arrivals"),
        sa.ForeignKeyConstraint(
            ["epoch", "submission", "part"],
            ["part.epoch", "part.submission", "part.part"],
            name=op.f("fk_arrival_epoch_submission_part"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("epoch", "submission", "part", name=op.f("pk_arrival")),
    )
