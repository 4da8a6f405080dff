"""Strings: several digits in one picture, read from left to right."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Strings, and what else the revision before has no word for, become what comes nearest among the words that it has.
TAKE_BACK = (
    """
    INSERT INTO rejections (batch_id, position, path, reason, message, true_label)
    SELECT batch_id, position, path, 'unreadable', 'The image shows several digits, read as ' || string || '.', true_label
    FROM predictions
    WHERE string IS NOT NULL
    """,
    """
    UPDATE batches
    SET scored = scored - (SELECT COUNT(*) FROM predictions WHERE batch_id = batches.id AND string IS NOT NULL),
        rejected = rejected + (SELECT COUNT(*) FROM predictions WHERE batch_id = batches.id AND string IS NOT NULL)
    WHERE id IN (SELECT batch_id FROM predictions WHERE string IS NOT NULL)
    """,
    "DELETE FROM predictions WHERE string IS NOT NULL",
    "UPDATE predictions SET verdict = 'uncertain' WHERE verdict = 'not_a_digit'",
    "UPDATE rejections SET reason = 'blank' WHERE reason = 'low_contrast'",
    "UPDATE rejections SET reason = 'unreadable' WHERE reason = 'several'",
)


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("predictions") as predictions:
        predictions.alter_column("label", existing_type=sa.SmallInteger(), nullable=True)
        predictions.add_column(sa.Column("string", sa.Text(), nullable=True))
        predictions.add_column(sa.Column("digits", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take back; strings become rejections."""
    for statement in TAKE_BACK:
        op.execute(statement)
    with op.batch_alter_table("predictions") as predictions:
        predictions.drop_column("digits")
        predictions.drop_column("string")
        predictions.alter_column("label", existing_type=sa.SmallInteger(), nullable=False)
