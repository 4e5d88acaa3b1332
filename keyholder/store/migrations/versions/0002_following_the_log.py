"""The broker's log at a key holder: the checkpoint that it keeps as a witness, and how far it followed the leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "witnessed",
        sa.Column("origin", sa.String(512), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("cosigned_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_witnessed"),
    )
    op.create_table(
        "followed",
        sa.Column("origin", sa.String(512), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("reached_at", sa.BigInteger, nullable=False),
        sa.Column("newest_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_followed"),
    )
    op.create_table(
        "passed_over",
        sa.Column("epoch_id", sa.LargeBinary(32), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", name="pk_passed_over"),
    )
