"""Reviews: what people say of images goes over what was known before, may be taken back, and is asked for in turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: Every image of which a word stands, with what was known and read before.
REVIEWED = """
    CREATE VIEW reviewed AS
    SELECT corrections.job_id, corrections.batch_id, corrections.position,
           COALESCE(predictions.path, rejections.path) AS path,
           corrections.verdict, corrections.new_label AS label, corrections.string,
           predictions.label AS predicted,
           COALESCE(predictions.true_label, rejections.true_label) AS true_label_before,
           corrections.corrected_by AS reviewed_by, corrections.corrected_at AS reviewed_at
    FROM corrections
    LEFT JOIN predictions
           ON predictions.batch_id = corrections.batch_id AND predictions.position = corrections.position
    LEFT JOIN rejections
           ON rejections.batch_id = corrections.batch_id AND rejections.position = corrections.position
    WHERE corrections.stands AND (predictions.path IS NOT NULL OR rejections.path IS NOT NULL)
    """

#: Cells as the workers counted them; a reviewed image leaves its cell, and enters that of the digit it was said to show.
CELLS = """
    SELECT batches.job_id, confusion.actual, confusion.predicted, confusion.count
    FROM confusion
    JOIN batches ON batches.id = confusion.batch_id
    UNION ALL
    SELECT job_id, true_label_before, predicted, -1 FROM reviewed WHERE true_label_before IS NOT NULL
    UNION ALL
    SELECT job_id, label, predicted, 1 FROM reviewed WHERE label IS NOT NULL
    """
JOB_CONFUSION = """
    CREATE VIEW job_confusion AS
    SELECT job_id, actual, predicted, SUM(count) AS count
    FROM ({cells}) AS cells
    GROUP BY job_id, actual, predicted
    HAVING SUM(count) <> 0
    """
MODEL_CONFUSION = """
    CREATE VIEW model_confusion AS
    SELECT jobs.model_id, actual, predicted, SUM(count) AS count
    FROM ({cells}) AS cells
    JOIN jobs ON jobs.id = cells.job_id
    GROUP BY jobs.model_id, actual, predicted
    HAVING SUM(count) <> 0
    """
JOB_CONFUSION_BEFORE = """
    CREATE VIEW job_confusion AS
    SELECT batches.job_id, confusion.actual, confusion.predicted, SUM(confusion.count) AS count
    FROM confusion
    JOIN batches ON batches.id = confusion.batch_id
    GROUP BY batches.job_id, confusion.actual, confusion.predicted
    """
MODEL_CONFUSION_BEFORE = """
    CREATE VIEW model_confusion AS
    SELECT jobs.model_id, confusion.actual, confusion.predicted, SUM(confusion.count) AS count
    FROM confusion
    JOIN batches ON batches.id = confusion.batch_id
    JOIN jobs ON jobs.id = batches.job_id
    GROUP BY jobs.model_id, confusion.actual, confusion.predicted
    """

#: Of a job's reviewed images: how many there are, and what they add to the counts of its batches.
ADDED = "COALESCE((SELECT SUM({}) FROM reviewed WHERE reviewed.job_id = jobs.id), 0)"
LABELLED = ADDED.format(
    "CASE WHEN predicted IS NULL THEN 0 WHEN label IS NULL THEN 0 ELSE 1 END"
    " - CASE WHEN predicted IS NULL THEN 0 WHEN true_label_before IS NULL THEN 0 ELSE 1 END"
)
CORRECT = ADDED.format(
    "CASE WHEN label = predicted THEN 1 ELSE 0 END - CASE WHEN true_label_before = predicted THEN 1 ELSE 0 END"
)
BY_REVIEW = ADDED.format(
    "CASE WHEN predicted IS NOT NULL AND label IS NOT NULL AND true_label_before IS NULL THEN 1 ELSE 0 END"
)
JOB_SUMMARY = """
    CREATE VIEW job_summary AS
    SELECT jobs.id AS job_id, jobs.name,
           CASE WHEN jobs.paused_at IS NULL THEN jobs.state ELSE 'paused' END AS state, jobs.found,
           COALESCE(SUM(batches.scored), 0) AS scored,
           COALESCE(SUM(batches.rejected), 0) AS rejected,
           COALESCE(SUM(batches.quarantined), 0) AS quarantined,
           jobs.found - COALESCE(SUM(batches.scored + batches.rejected + batches.quarantined), 0) AS open,
           COALESCE(SUM(batches.labelled), 0){labelled} AS labelled,
           COALESCE(SUM(batches.correct), 0){correct} AS correct,
           COALESCE(SUM(batches.escalated), 0) AS escalated,
           models.name AS model, jobs.created_at, jobs.started_at, jobs.finished_at{more}
    FROM jobs
    JOIN models ON models.id = jobs.model_id
    LEFT JOIN batches ON batches.job_id = jobs.id
    GROUP BY jobs.id, models.name
    """

#: A job's number for every word, and which words stand, of those that were said before.
KNOWN_WORDS = (
    "UPDATE corrections SET job_id = (SELECT job_id FROM batches WHERE batches.id = corrections.batch_id)",
    "UPDATE corrections SET verdict = CASE WHEN new_label IS NULL THEN 'not_a_digit' ELSE 'digit' END",
    """
    UPDATE corrections
    SET stands = false
    WHERE id NOT IN (SELECT MAX(id) FROM corrections GROUP BY batch_id, position)
    """,
)

#: What the revision before has no word for.
TAKE_BACK = "DELETE FROM corrections WHERE verdict <> 'digit' OR withdrawn_at IS NOT NULL"


def upgrade() -> None:
    """Apply; of every image that was corrected the last word stands."""
    for column in (
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(length=20), nullable=False, server_default=sa.text("'digit'")),
        sa.Column("string", sa.Text(), nullable=True),
        sa.Column("stands", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("withdrawn_by", sa.String(length=200), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("corrections", column)
    for statement in KNOWN_WORDS:
        op.execute(statement)
    with op.batch_alter_table("corrections") as corrections:
        corrections.alter_column("job_id", existing_type=sa.Integer(), nullable=False)
        corrections.create_foreign_key(op.f("fk_corrections_job_id_jobs"), "jobs", ["job_id"], ["id"])
        words = "verdict IN ('digit', 'not_a_digit', 'several')"
        corrections.create_check_constraint(op.f("ck_corrections_verdict"), words)
        digit = "(verdict = 'digit') = (new_label IS NOT NULL)"
        corrections.create_check_constraint(op.f("ck_corrections_new_label"), digit)
    op.create_index("ix_corrections_job_id", "corrections", ["job_id"])
    _partial_index("uq_corrections_stands", "corrections", ["batch_id", "position"], "stands", unique=True)
    op.create_table(
        "review_leases",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_review_leases_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_review_leases")),
    )
    op.create_index("ix_review_leases_holder", "review_leases", ["holder"])
    least_certain = ["confidence", "batch_id", "position", "verdict"]
    _partial_index("ix_predictions_review", "predictions", least_certain, "verdict <> 'digit' OR confidence <= 0.99")
    _drop_views("model_confusion", "job_confusion", "job_summary")
    reviewed = f", {ADDED.format('1')} AS reviewed, {BY_REVIEW} AS labelled_by_review"
    summary = JOB_SUMMARY.format(labelled=f" + {LABELLED}", correct=f" + {CORRECT}", more=reviewed)
    for view in (REVIEWED, JOB_CONFUSION, MODEL_CONFUSION, summary):
        op.execute(view.format(cells=CELLS))


def downgrade() -> None:
    """Take back; words that were withdrawn are lost, and those that are no digit."""
    _drop_views("model_confusion", "job_confusion", "job_summary", "reviewed")
    for view in (JOB_CONFUSION_BEFORE, MODEL_CONFUSION_BEFORE, JOB_SUMMARY.format(labelled="", correct="", more="")):
        op.execute(view)
    op.drop_index("ix_predictions_review", "predictions")
    op.drop_table("review_leases")
    op.drop_index("uq_corrections_stands", "corrections")
    op.drop_index("ix_corrections_job_id", "corrections")
    op.execute(TAKE_BACK)
    with op.batch_alter_table("corrections") as corrections:
        corrections.drop_constraint(op.f("ck_corrections_verdict"), type_="check")
        corrections.drop_constraint(op.f("ck_corrections_new_label"), type_="check")
        corrections.drop_constraint(op.f("fk_corrections_job_id_jobs"), type_="foreignkey")
        for column in ("withdrawn_at", "withdrawn_by", "stands", "string", "verdict", "job_id"):
            corrections.drop_column(column)


def _drop_views(*names: str) -> None:
    for name in names:
        op.execute(f"DROP VIEW {name}")


def _partial_index(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
