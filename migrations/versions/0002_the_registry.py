"""The registry: promotions and what allowed them, the challenger's shadow, and what was escalated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JOB_SUMMARY = """
    CREATE VIEW job_summary AS
    SELECT jobs.id AS job_id, jobs.name, jobs.state, jobs.found,
           COALESCE(SUM(batches.scored), 0) AS scored,
           COALESCE(SUM(batches.rejected), 0) AS rejected,
           COALESCE(SUM(batches.quarantined), 0) AS quarantined,
           jobs.found - COALESCE(SUM(batches.scored + batches.rejected + batches.quarantined), 0) AS open,
           COALESCE(SUM(batches.labelled), 0) AS labelled,
           COALESCE(SUM(batches.correct), 0) AS correct,
           {more}models.name AS model, jobs.created_at, jobs.started_at, jobs.finished_at
    FROM jobs
    JOIN models ON models.id = jobs.model_id
    LEFT JOIN batches ON batches.job_id = jobs.id
    GROUP BY jobs.id, models.name
    """

#: Of each model only its latest promotion was known; what allowed it, and who, was not.
KNOWN_PROMOTIONS = """
    INSERT INTO promotions (model_id, kind, promoted_at, promoted_by, reason)
    SELECT id, 'forced', promoted_at, 'unknown', 'promoted before there was a gate'
    FROM models
    WHERE promoted_at IS NOT NULL
    ORDER BY CASE WHEN alias = 'production' THEN 1 ELSE 0 END, promoted_at, id
    """


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("checks", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('first', 'gate', 'forced', 'rollback', 'successor')", name=op.f("ck_promotions_kind")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_promotions_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
    )
    op.create_table(
        "shadow_predictions",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_shadow_predictions_batch_id_batches")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_shadow_predictions_model_id_models")),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_shadow_predictions")),
    )
    op.add_column("models", sa.Column("challenger_share", sa.Float(), nullable=True))
    # Not through a copy of the table, as Alembic has it for SQLite: every prediction points at a batch.
    op.add_column("batches", sa.Column("escalated", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute("DROP VIEW job_summary")
    op.execute(JOB_SUMMARY.format(more="COALESCE(SUM(batches.escalated), 0) AS escalated, "))
    op.execute(KNOWN_PROMOTIONS)


def downgrade() -> None:
    """Take back; promotions and shadows are lost."""
    op.execute("DROP VIEW job_summary")
    op.execute(JOB_SUMMARY.format(more=""))
    op.drop_column("batches", "escalated")
    op.drop_column("models", "challenger_share")
    op.drop_table("shadow_predictions")
    op.drop_table("promotions")
    op.execute("UPDATE models SET alias = NULL WHERE alias = 'challenger'")
