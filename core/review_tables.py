"""The ledger's tables of what people say of images, and of who looks at which."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    text,
    true,
)

from core.columns import UtcDateTime
from core.schema import metadata

#: What people are asked about, as a condition on `predictions`: asked word by word as here, either half is answered by an
#: index of theirs.
DOUBTFUL, UNSURE = text("verdict <> 'digit'"), text("confidence <= 0.99")
REVIEWED = text(f"{DOUBTFUL} OR {UNSURE}")

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("corrected_by", String(200), nullable=False),
    Column("corrected_at", UtcDateTime, nullable=False),
    Column("old_label", SmallInteger),
    Column("new_label", SmallInteger),
    # That of the batch: what was said of a job is asked far oftener than it is said.
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    # What the image was said to show: a digit, which is the new label; several, perhaps with the string; or no digit.
    Column("verdict", String(20), nullable=False, server_default=text("'digit'")),
    Column("string", Text),
    # Whether it is the last word on its image that was not withdrawn.
    Column("stands", Boolean, nullable=False, server_default=true()),
    Column("withdrawn_by", String(200)),
    Column("withdrawn_at", UtcDateTime),
    CheckConstraint("verdict IN ('digit', 'not_a_digit', 'several')", name="verdict"),
    CheckConstraint("(verdict = 'digit') = (new_label IS NOT NULL)", name="new_label"),
)
Index(None, corrections.c.batch_id, corrections.c.position)
Index(None, corrections.c.job_id)
# On an image one word stands.
Index(
    "uq_corrections_stands",
    corrections.c.batch_id,
    corrections.c.position,
    unique=True,
    sqlite_where=text("stands"),
    postgresql_where=text("stands"),
)

# Which image lies before which reviewer, so that nobody else gets it meanwhile.
review_leases = Table(
    "review_leases",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(200), nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
)
Index(None, review_leases.c.holder)
