"""Counts by batch: what a million images are taken for is asked while they are scored, and must not read each of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: The counts of the batches that have ended before; one that was given up has no predictions.
COUNT = """
    UPDATE batches
    SET {column} = COALESCE((
        SELECT {gathered}
        FROM (
            SELECT {word} AS word, COUNT(*) AS images
            FROM {table}
            WHERE {table}.batch_id = batches.id
            GROUP BY {word}
        ) AS counted
    ), '{{}}')
    WHERE state IN ('done', 'quarantined')
    """


def upgrade() -> None:
    """Apply."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    gathered = "json_group_object(word, images)" if sqlite else "json_object_agg(word, images)"
    for column, table, word in (("verdicts", "predictions", "verdict"), ("reasons", "rejections", "reason")):
        op.add_column("batches", sa.Column(column, sa.JSON(), nullable=True))
        op.execute(COUNT.format(column=column, table=table, word=word, gathered=gathered))


def downgrade() -> None:
    """Take back; the images themselves say the same."""
    op.drop_column("batches", "reasons")
    op.drop_column("batches", "verdicts")
