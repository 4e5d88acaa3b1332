"""The first schema of a key holder's database.

Written out rather than taken from schema.py, which moves on while a migration never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from wire.nonces import TABLE_NAME, nonce_columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(TABLE_NAME, *nonce_columns())
    _create_documents_and_chains()
    _create_evaluations()
    _create_withdrawals_and_openings()
    _create_key_generation()


def _create_documents_and_chains() -> None:
    op.create_table(
        "document",
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("accepted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_document"),
        sa.UniqueConstraint("hash", name="uq_document_hash"),
    )
    op.create_table(
        "chain",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chain"),
    )


def _create_evaluations() -> None:
    op.create_table(
        "suspension",
        sa.Column("party_id", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("party_id", name="pk_suspension"),
    )
    op.create_table(
        "chunk",
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("charged_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("institution_id", "digest", name="pk_chunk"),
    )
    op.create_table(
        "budget",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "institution_id", "family", name="pk_budget"),
    )
    op.create_table(
        "daily_count",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("elements", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "day", "institution_id", "family", name="pk_daily_count"),
    )
    op.create_table(
        "counts_document",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "day", name="pk_counts_document"),
    )


def _create_withdrawals_and_openings() -> None:
    op.create_table(
        "withdrawal",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("statement_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "institution_id", "seq", name="pk_withdrawal"),
    )
    op.create_table(
        "withdrawn_handle",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("handle", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "institution_id", "handle", name="pk_withdrawn_handle"),
    )
    op.create_table(
        "opening",
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_opening"),
    )
    op.create_table(
        "opened_record",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("recipient_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("institution_id", sa.String(64), nullable=False),
        sa.Column("handle", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "recipient_id", "day", "institution_id", "handle", name="pk_opened_record"),
    )


def _create_key_generation() -> None:
    op.create_table(
        "keygen_message",
        sa.Column("session", sa.LargeBinary(255), nullable=False),
        sa.Column("round", sa.SmallInteger, nullable=False),
        sa.Column("sender", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("session", "round", "sender", name="pk_keygen_message"),
    )
