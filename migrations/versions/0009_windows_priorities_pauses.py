"""What waits in the ledger for its turn: batches that are not sent yet, priorities of jobs, pauses by a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; the batches that are there were all sent when their job was submitted."""
    op.add_column("jobs", sa.Column("priority", sa.SmallInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("jobs", sa.Column("paused_by", sa.String(length=200), nullable=True))
    op.add_column("batches", sa.Column("unsent", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_batches_state", "batches")
    op.create_index("ix_batches_state_unsent", "batches", ["state", "unsent"])
    op.create_table(
        "pauses",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_pauses_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
    )


def downgrade() -> None:
    """Take back; a line that is paused goes on, and a sweep sends what was not sent yet."""
    op.drop_table("pauses")
    op.drop_index("ix_batches_state_unsent", "batches")
    op.create_index("ix_batches_state", "batches", ["state"])
    op.drop_column("batches", "unsent")
    op.drop_column("jobs", "paused_by")
    op.drop_column("jobs", "priority")
