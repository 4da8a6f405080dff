"""Pauses: a job that has spent its failure budget waits for a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JOB_SUMMARY = """
    CREATE VIEW job_summary AS
    SELECT jobs.id AS job_id, jobs.name, {state} AS state, jobs.found,
           COALESCE(SUM(batches.scored), 0) AS scored,
           COALESCE(SUM(batches.rejected), 0) AS rejected,
           COALESCE(SUM(batches.quarantined), 0) AS quarantined,
           jobs.found - COALESCE(SUM(batches.scored + batches.rejected + batches.quarantined), 0) AS open,
           COALESCE(SUM(batches.labelled), 0) AS labelled,
           COALESCE(SUM(batches.correct), 0) AS correct,
           COALESCE(SUM(batches.escalated), 0) AS escalated,
           models.name AS model, jobs.created_at, jobs.started_at, jobs.finished_at
    FROM jobs
    JOIN models ON models.id = jobs.model_id
    LEFT JOIN batches ON batches.job_id = jobs.id
    GROUP BY jobs.id, models.name
    """


def upgrade() -> None:
    """Apply."""
    op.add_column("jobs", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("DROP VIEW job_summary")
    op.execute(JOB_SUMMARY.format(state="CASE WHEN jobs.paused_at IS NULL THEN jobs.state ELSE 'paused' END"))


def downgrade() -> None:
    """Take back; paused jobs go on."""
    op.execute("DROP VIEW job_summary")
    op.execute(JOB_SUMMARY.format(state="jobs.state"))
    op.execute("UPDATE jobs SET error = NULL WHERE paused_at IS NOT NULL")
    op.drop_column("jobs", "paused_at")
