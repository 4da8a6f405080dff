"""The ledger: jobs, their batches, what was found out, and the views people read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


VIEWS = (
    """
    CREATE VIEW job_summary AS
    SELECT jobs.id AS job_id, jobs.name, jobs.state, jobs.found,
           COALESCE(SUM(batches.scored), 0) AS scored,
           COALESCE(SUM(batches.rejected), 0) AS rejected,
           COALESCE(SUM(batches.quarantined), 0) AS quarantined,
           jobs.found - COALESCE(SUM(batches.scored + batches.rejected + batches.quarantined), 0) AS open,
           COALESCE(SUM(batches.labelled), 0) AS labelled,
           COALESCE(SUM(batches.correct), 0) AS correct,
           models.name AS model, jobs.created_at, jobs.started_at, jobs.finished_at
    FROM jobs
    JOIN models ON models.id = jobs.model_id
    LEFT JOIN batches ON batches.job_id = jobs.id
    GROUP BY jobs.id, models.name
    """,
    """
    CREATE VIEW job_confusion AS
    SELECT batches.job_id, confusion.actual, confusion.predicted, SUM(confusion.count) AS count
    FROM confusion
    JOIN batches ON batches.id = confusion.batch_id
    GROUP BY batches.job_id, confusion.actual, confusion.predicted
    """,
    """
    CREATE VIEW model_confusion AS
    SELECT jobs.model_id, confusion.actual, confusion.predicted, SUM(confusion.count) AS count
    FROM confusion
    JOIN batches ON batches.id = confusion.batch_id
    JOIN jobs ON jobs.id = batches.job_id
    GROUP BY jobs.model_id, confusion.actual, confusion.predicted
    """,
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=40), nullable=True),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("alias", name=op.f("uq_models_alias")),
        sa.UniqueConstraint("sha256", name=op.f("uq_models_sha256")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("queue", sa.String(length=20), nullable=False),
        sa.Column("triggered_by", sa.String(length=20), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("batch_count", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_jobs_state")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_jobs_model_id_models")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("claim", name=op.f("uq_jobs_claim")),
    )
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state"], unique=False)

    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("labelled", sa.Integer(), nullable=False),
        sa.Column("correct", sa.Integer(), nullable=False),
        sa.Column("timings", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'leased', 'done', 'quarantined', 'cancelled')", name=op.f("ck_batches_state")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_batches_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("job_id", "sequence", name=op.f("uq_batches_job_id_sequence")),
    )
    op.create_index(op.f("ix_batches_state"), "batches", ["state"], unique=False)

    op.create_table(
        "confusion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("actual", sa.SmallInteger(), nullable=False),
        sa.Column("predicted", sa.SmallInteger(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_confusion_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confusion")),
        sa.UniqueConstraint("batch_id", "actual", "predicted", name=op.f("uq_confusion_batch_id_actual_predicted")),
    )
    with op.batch_alter_table("confusion", schema=None) as batch_op:
        batch_op.create_index(
            "uq_confusion_rejected_cell",
            ["batch_id", "actual"],
            unique=True,
            sqlite_where=sa.text("predicted IS NULL"),
            postgresql_where=sa.text("predicted IS NULL"),
        )

    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("corrected_by", sa.String(length=200), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("old_label", sa.SmallInteger(), nullable=True),
        sa.Column("new_label", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_corrections_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index(op.f("ix_corrections_batch_id_position"), "corrections", ["batch_id", "position"], unique=False)

    op.create_table(
        "predictions",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("margin", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("true_label", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_predictions_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_predictions")),
    )
    op.create_table(
        "rejections",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("true_label", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_rejections_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_rejections")),
    )
    for view in VIEWS:
        op.execute(view)
