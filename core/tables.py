"""The ledger's SQLAlchemy tables; plain names and portable types, so that people's own scripts may read them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from core import review_tables, schema
from core.columns import PathText, UtcDateTime

metadata = schema.metadata

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("alias", String(40), unique=True),
    Column("location", PathText, nullable=False),
    Column("card", JSON, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("promoted_at", UtcDateTime),
    # Of the batches, scored in the shadow while it is the challenger; NULL: as the settings say.
    Column("challenger_share", Float),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("promoted_at", UtcDateTime, nullable=False),
    Column("promoted_by", String(200), nullable=False),
    # Why it was forced.
    Column("reason", Text),
    # What the gate measured.
    Column("checks", JSON),
    CheckConstraint("kind IN ('first', 'gate', 'forced', 'rollback', 'successor')", name="kind"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", PathText, nullable=False),
    Column("source", PathText, nullable=False),
    Column("state", String(20), nullable=False),
    Column("queue", String(20), nullable=False),
    Column("triggered_by", String(20), nullable=False),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("found", Integer, nullable=False),
    Column("batch_count", Integer, nullable=False),
    Column("options", JSON, nullable=False),
    # The inbox hands each claimed drop over exactly once, however often it is interrupted.
    Column("claim", PathText, unique=True),
    Column("error", PathText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("filed_at", UtcDateTime),
    # Since when it waits for a person, whatever its state; no state of its own, for SQLite cannot alter a constraint.
    Column("paused_at", UtcDateTime),
    Column("schedule", String(100)),
    # What waits in the ledger is sent by it, the highest first.
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    # Who paused it; NULL: nobody did, it has spent its failure budget.
    Column("paused_by", String(200)),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
)
Index(None, jobs.c.state)

batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    # When its message was last sent, or was about to be: the sweep sends again what Redis does not hold.
    Column("sent_at", UtcDateTime, nullable=False),
    Column("lease_token", String(32)),
    Column("lease_until", UtcDateTime),
    Column("worker", String(200)),
    Column("scored", Integer, nullable=False, default=0),
    Column("rejected", Integer, nullable=False, default=0),
    Column("quarantined", Integer, nullable=False, default=0),
    Column("labelled", Integer, nullable=False, default=0),
    Column("correct", Integer, nullable=False, default=0),
    Column("timings", JSON),
    # What went wrong in the last attempt that failed.
    Column("error", PathText),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # After most, for it is large: SQLite reads a row's earlier columns without touching it.
    Column("manifest", JSON, nullable=False),
    Column("escalated", Integer, nullable=False, server_default=text("0")),
    # Of a batch that has ended: how many of its images got which verdict, and were rejected for which reason.
    Column("verdicts", JSON(none_as_null=True)),
    Column("reasons", JSON(none_as_null=True)),
    # Of a batch that is done: its scored images by label, and by the bound that their confidence does not exceed; and
    # those confidences, added up.
    Column("labels", JSON(none_as_null=True)),
    Column("confidences", JSON(none_as_null=True)),
    Column("confidence_sum", Float),
    # Whether its message was never sent, for its queue was full; `sent_at` is then when it was queued.
    Column("unsent", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("job_id", "sequence"),
    CheckConstraint("state IN ('queued', 'leased', 'done', 'quarantined', 'cancelled')", name="state"),
)
Index(None, batches.c.state, batches.c.unsent)
Index(None, batches.c.job_id, batches.c.state)
# What has ended since a moment is asked whenever metrics are read; a job that is submitted pays nothing for it.
Index(
    None,
    batches.c.finished_at,
    sqlite_where=batches.c.finished_at.is_not(None),
    postgresql_where=batches.c.finished_at.is_not(None),
)

# One row while the whole line is paused, else none.
pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("paused_at", UtcDateTime, nullable=False),
    Column("paused_by", String(200), nullable=False),
    Column("reason", PathText),
    CheckConstraint("id = 1", name="one"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("path", PathText, nullable=False),
    Column("sha256", String(64), nullable=False),
    # NULL: several digits were read as one string.
    Column("label", SmallInteger),
    Column("confidence", Float, nullable=False),
    Column("margin", Float, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("true_label", SmallInteger),
    # The string, and its digits from left to right, each with label and confidence; SQL NULL where one digit was read.
    Column("string", Text),
    Column("digits", JSON(none_as_null=True)),
)
# What people review, the least certain first; of a hundred images it holds some few.
Index(
    "ix_predictions_review",
    predictions.c.confidence,
    predictions.c.batch_id,
    predictions.c.position,
    predictions.c.verdict,
    sqlite_where=review_tables.REVIEWED,
    postgresql_where=review_tables.REVIEWED,
)

# What the challenger said of images that are in `predictions`, position by position.
shadow_predictions = Table(
    "shadow_predictions",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("label", SmallInteger, nullable=False),
    Column("confidence", Float, nullable=False),
)

rejections = Table(
    "rejections",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("path", PathText, nullable=False),
    Column("reason", String(20), nullable=False),
    Column("message", PathText, nullable=False),
    Column("true_label", SmallInteger),
)

confusion = Table(
    "confusion",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("actual", SmallInteger, nullable=False),
    # NULL: no single digit was read, for the image was rejected, quarantined or read as a string.
    Column("predicted", SmallInteger),
    Column("count", Integer, nullable=False),
    UniqueConstraint("batch_id", "actual", "predicted"),
)
# One row a cell: a unique constraint takes two NULLs for different, so those cells have an index of their own.
Index(
    "uq_confusion_rejected_cell",
    confusion.c.batch_id,
    confusion.c.actual,
    unique=True,
    sqlite_where=confusion.c.predicted.is_(None),
    postgresql_where=confusion.c.predicted.is_(None),
)

corrections, review_leases = review_tables.corrections, review_tables.review_leases

schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("source", PathText, nullable=False),
    Column("cron", String(100), nullable=False),
    Column("timezone", String(100), nullable=False),
    Column("missed", String(20), nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    # Counted up by all that happens to the row: what was read before is stale then.
    Column("version", Integer, nullable=False),
    Column("ran_at", UtcDateTime),
    Column("found", Integer),
    Column("submitted", Integer),
    Column("job_id", ForeignKey("jobs.id")),
    Column("error", PathText),
    Column("missed_at", UtcDateTime),
    CheckConstraint("missed IN ('run-once', 'skip')", name="missed"),
)

# How a batch's files looked when a schedule submitted them, by position.
stamps = Table(
    "stamps",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True, autoincrement=False),
    Column("schedule_id", ForeignKey("schedules.id"), nullable=False),
    # Hexadecimal; 0: it had changed so lately that its look says nothing.
    Column("stamps", Text, nullable=False),
)
Index(None, stamps.c.schedule_id)

# The same of a batch that is pruned, whose id is no key any more; `-` stands for the hash of a file that was not scored.
known_files = Table(
    "known_files",
    metadata,
    Column("batch_id", Integer, primary_key=True, autoincrement=False),
    Column("schedule_id", ForeignKey("schedules.id"), nullable=False, index=True),
    Column("stamps", Text, nullable=False),
    Column("sha256s", Text, nullable=False),
    Column("paths", JSON, nullable=False),
)

# Whom to tell when a job ends, as the scheduler's settings say; their URLs may hold tokens, and are not kept.
hooks = Table(
    "hooks",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("address", Text, nullable=False),
)

# What a hook is told: written by the transaction that ends the job, delivered by a scheduler.
notices = Table(
    "notices",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    # No key of `hooks`, for it outlives the setting.
    Column("hook", String(64), nullable=False),
    Column("address", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # While somebody tries, when somebody else may.
    Column("next_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("tried_at", UtcDateTime),
    # Why the last try failed.
    Column("error", Text),
    CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="state"),
)
Index(None, notices.c.state)
Index(None, notices.c.job_id)
