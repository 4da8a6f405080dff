"""Labels and confidences by batch, and what has ended since a moment: metrics are asked for all the time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

#: As core/ledger/outcomes.py counted them when this was written.
LABEL = "CASE WHEN label IS NULL THEN 'string' ELSE CAST(label AS VARCHAR) END"
BOUNDS = ("0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.999")
UNDER = " ".join(f"WHEN confidence <= {bound} THEN '{bound}'" for bound in BOUNDS)
BOUND = f"CASE {UNDER} ELSE '1.0' END"

#: The counts of the batches that are done already.
COUNT = """
    UPDATE batches
    SET {column} = COALESCE((
        SELECT {gathered}
        FROM (
            SELECT {word} AS word, COUNT(*) AS images
            FROM predictions
            WHERE predictions.batch_id = batches.id
            GROUP BY 1
        ) AS counted
    ), '{{}}')
    WHERE state = 'done'
    """
SUM = """
    UPDATE batches
    SET confidence_sum = (
        SELECT COALESCE(SUM(confidence), 0)
        FROM predictions
        WHERE predictions.batch_id = batches.id
    )
    WHERE state = 'done'
    """


def upgrade() -> None:
    """Apply."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    gathered = "json_group_object(word, images)" if sqlite else "json_object_agg(word, images)"
    for column, word in (("labels", LABEL), ("confidences", BOUND)):
        op.add_column("batches", sa.Column(column, sa.JSON(), nullable=True))
        op.execute(COUNT.format(column=column, word=word, gathered=gathered))
    op.add_column("batches", sa.Column("confidence_sum", sa.Float(), nullable=True))
    op.execute(SUM)
    ended = sa.text("finished_at IS NOT NULL")
    op.create_index("ix_batches_finished_at", "batches", ["finished_at"], sqlite_where=ended, postgresql_where=ended)


def downgrade() -> None:
    """Take back; the images themselves say the same."""
    op.drop_index("ix_batches_finished_at", "batches")
    for column in ("confidence_sum", "confidences", "labels"):
        op.drop_column("batches", column)
