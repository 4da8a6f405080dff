"""The ledger's SQLAlchemy tables; plain names and portable types, so that people's own scripts may read them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: A byte of a file name that is no UTF-8 arrives as U+DC80..U+DCFF (PEP 383), which no database stores;
#: it is kept as U+F780..U+F7FF, of the private use area, and comes back as it was.
_SURROGATE_TO_PRIVATE = {0xDC00 + byte: chr(0xF700 + byte) for byte in range(0x80, 0x100)}
#: A name that holds such a private character itself is kept byte by byte, or it would come back as another one.
_PRIVATE_TO_BYTES = {
    ord(private): "".join(chr(0xF700 + byte) for byte in private.encode()) for private in _SURROGATE_TO_PRIVATE.values()
}
_STORED = {**_SURROGATE_TO_PRIVATE, **_PRIVATE_TO_BYTES}
_READ = {ord(private): surrogate for surrogate, private in _SURROGATE_TO_PRIVATE.items()}


def storable_path(path: str) -> str:
    """The path with every byte that is no UTF-8 moved to where a database stores it."""
    return path if path.isascii() else path.translate(_STORED)


def path_as_it_was(stored: str) -> str:
    """The path of which storable_path() made this."""
    if stored.isascii():
        return stored
    return stored.translate(_READ).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


class PathText(TypeDecorator[str]):
    """A file's path, or a sentence that may name one, whatever bytes its name has."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Make a path storable."""
        return None if value is None else storable_path(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Bring back the path as the file system spells it."""
        return None if value is None else path_as_it_was(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Say that the moment is in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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
    UniqueConstraint("job_id", "sequence"),
    CheckConstraint("state IN ('queued', 'leased', 'done', 'quarantined', 'cancelled')", name="state"),
)
Index(None, batches.c.state)
Index(None, batches.c.job_id, batches.c.state)

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
)
Index(None, corrections.c.batch_id, corrections.c.position)
