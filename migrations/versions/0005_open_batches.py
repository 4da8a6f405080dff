"""Open batches: whether a job has any is asked with every batch that ends, and must not take longer in a large job."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_batches_job_id_state", "batches", ["job_id", "state"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_batches_job_id_state", "batches")
