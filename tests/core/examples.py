"""Small jobs, models and outcomes to put into a ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Table, select

from core import tables
from core.database import Database
from core.ledger import batches, jobs, models, sweeps
from core.ledger.sweeps import Messages
from core.vocabulary import (
    Batch,
    Cell,
    Digit,
    Job,
    Lease,
    Manifest,
    Model,
    NewJob,
    Outcome,
    Prediction,
    QueueName,
    Reason,
    Rejection,
    Trigger,
    Verdict,
)

LEASE_TIME = 60.0
#: A lease of this length has run out as soon as it is taken.
RUN_OUT = -1.0
MAX_ATTEMPTS = 3


def digest(text: str) -> str:
    """A SHA-256 that belongs to the text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def register_model(database: Database, name: str = "small") -> Model:
    """Make a model known; the first one is in production."""
    return models.register(database, name=name, sha256=digest(name), location=f"/models/{name}", card={"name": name})


def new_job(
    sizes: Sequence[int] = (3,),
    *,
    labelled: bool = False,
    name: str = "scans",
    claim: str | None = None,
    **options: Any,
) -> NewJob:
    """A job whose batches have these sizes; if labelled, the image at position p shows the digit p % 10."""
    manifests = [
        Manifest(
            [f"{sequence}/{position}.png" for position in range(size)],
            [position % 10 for position in range(size)] if labelled else None,
        )
        for sequence, size in enumerate(sizes, start=1)
    ]
    return NewJob(name, "file:///scans", manifests, QueueName.EXPRESS, Trigger.SCRIPT, claim=claim, **options)


def create_job(database: Database, sizes: Sequence[int] = (3,), **options: Any) -> Job:
    """Put a job into the ledger, and a model first."""
    register_model(database)
    return jobs.create(database, new_job(sizes, **options))


def create_batch(database: Database, size: int = 3, **options: Any) -> Batch:
    """Put a job of one batch into the ledger; returns the batch."""
    return batches.of_job(database, create_job(database, [size], **options).id)[0]


def take(database: Database, batch: Batch, *, worker: str = "w1", lease_time: float = LEASE_TIME) -> Lease:
    """Claim a batch that is known to be free."""
    lease = batches.claim(database, batch.id, worker=worker, lease_time=lease_time, max_attempts=MAX_ATTEMPTS)
    assert isinstance(lease, Lease), f"batch {batch.id} is {lease}"
    return lease


def send(
    database: Database,
    *,
    waiting: Collection[int] = (),
    resend_after: float = 600.0,
    held: Collection[int] = (),
    held_for: float = 0.0,
    limit: int = 500,
) -> list[Batch]:
    """Mark as sent what a sweep would send to the queue of these jobs that finds these messages in Redis."""
    messages = Messages(waiting, resend_after, held, held_for)
    return sweeps.to_send(database, QueueName.EXPRESS, limit, messages).batches


def exhaust(database: Database, batch: Batch) -> None:
    """Let as many workers die over a batch as may."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert take(database, batch, lease_time=RUN_OUT).attempt == attempt


def prediction(lease: Lease, position: int, label: int | str, verdict: Verdict = Verdict.UNCERTAIN) -> Prediction:
    """The image at that position was read as that digit, or as that string."""
    path, true_label = lease.manifest.paths[position], lease.manifest.true_label(position)
    digits = tuple(Digit(int(digit), 0.875) for digit in label) if isinstance(label, str) else ()
    return Prediction(position, path, digest(path), label, 0.75, 0.5, verdict, true_label, digits)


def rejection(lease: Lease, position: int, reason: Reason = Reason.TRUNCATED) -> Rejection:
    """The image at that position could not be read."""
    path = lease.manifest.paths[position]
    return Rejection(position, path, reason, f"{path} ends early", lease.manifest.true_label(position))


def outcome(lease: Lease, *, labels: Sequence[int | str | None] | None = None) -> Outcome:
    """What a worker found out about a batch.

    Args:
        lease: of the batch.
        labels: what each image was read as, a digit or a string; None: it was rejected; default: every image as
            position % 10.
    """
    read = labels if labels is not None else [position % 10 for position in range(len(lease.manifest))]
    scored = [prediction(lease, position, label) for position, label in enumerate(read) if label is not None]
    rejected = [rejection(lease, position) for position, label in enumerate(read) if label is None]
    cells = Counter(
        (actual, label if isinstance(label, int) else None)
        for position, label in enumerate(read)
        if (actual := lease.manifest.true_label(position)) is not None
    )
    matrix = [Cell(actual, predicted, count) for (actual, predicted), count in cells.items()]
    return Outcome(scored, rejected, matrix, {"read": 0.25, "predict": 0.5})


def score(database: Database, job: Job, labels: Iterable[Sequence[int | str | None] | None] = ()) -> None:
    """Claim and finish every batch of a job, in order; `labels` as in outcome(), by batch."""
    chosen = list(labels)
    for number, batch in enumerate(batches.of_job(database, job.id)):
        lease = take(database, batch)
        batches.finish(database, lease, outcome(lease, labels=chosen[number] if chosen else None))


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    """All rows of a table, in the order of its primary key."""
    with database.read() as connection:
        chosen = select(table).order_by(*table.primary_key.columns)
        return [dict(row._mapping) for row in connection.execute(chosen)]


def batch_row(database: Database, batch: Batch) -> dict[str, Any]:
    """The batch as the table has it."""
    return next(row for row in rows(database, tables.batches) if row["id"] == batch.id)
