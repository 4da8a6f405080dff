"""What a schedule has submitted stays known when the jobs that scored it are pruned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "known_files",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("schedule_id", sa.Integer(), nullable=False),
        sa.Column("stamps", sa.Text(), nullable=False),
        sa.Column("sha256s", sa.Text(), nullable=False),
        sa.Column("paths", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_known_files_schedule_id_schedules")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_known_files")),
    )
    op.create_index("ix_known_files_schedule_id", "known_files", ["schedule_id"])


def downgrade() -> None:
    """Take back; what was scored by jobs that are pruned is new to its schedule."""
    op.drop_table("known_files")
