"""What was found out: predictions and rejections in the folder's order, and confusion matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, literal, null, select, type_coerce, union_all

from core import tables
from core.database import Database
from core.ledger import corrected
from core.ledger.corrected import Word, reviewed
from core.vocabulary import BatchState, Cell, Digit, Reason, Verdict

#: States of a batch whose images have all met their end.
_ENDED = (BatchState.DONE.value, BatchState.QUARANTINED.value)


@dataclass(frozen=True, slots=True)
class Result:
    """One image of a job, scored or rejected."""

    path: str
    #: `scored` or `rejected`.
    status: str
    #: The digit; of several digits that were read as one string, that string, such as "1947".
    label: int | str | None = None
    confidence: float | None = None
    margin: float | None = None
    #: None where the picture was never seen.
    verdict: Verdict | None = None
    #: As people said, where they did; else the label that came with it.
    true_label: int | None = None
    #: Why it was rejected: code and sentence.
    reason: Reason | None = None
    message: str | None = None
    #: Of the bytes that were scored, hexadecimal.
    sha256: str | None = None
    #: Name of the model that the image was, or was to be, scored by.
    model: str | None = None
    #: The digits of a string, from left to right; empty where one digit was read, or none.
    digits: Sequence[Digit] = ()
    #: What a person said that it shows.
    review: Word | None = None


def of_job(database: Database, job_id: int) -> Iterator[Result]:
    """Every image of a job that has met its end, in the order of the folder.

    Reads a batch at a time, so that neither the memory nor a lock grows with the job.
    """
    batches, models = tables.batches, tables.models
    chosen = select(batches.c.id).where(batches.c.job_id == job_id).order_by(batches.c.sequence)
    named = select(models.c.name).join(tables.jobs, tables.jobs.c.model_id == models.c.id)
    with database.read() as connection:
        batch_ids = connection.scalars(chosen).all()
        model = connection.execute(named.where(tables.jobs.c.id == job_id)).scalar_one_or_none()
    for batch_id in batch_ids:
        with database.read() as connection:
            rows = connection.execute(_select_results(batch_id)).all()
            words = corrected.of_batches(connection, [batch_id])
        for row in rows:
            yield result_of(row, model, words.get((row.batch_id, row.position)))


def job_confusion(database: Database, job_id: int) -> list[Cell]:
    """The cells of a job's confusion matrix, summed over its batches; empty where no true label is known.

    A reviewed image is counted by what people said: in the row of that digit, or, where it shows none, in none.
    """
    with database.read() as connection:
        rows = connection.execute(_cells(), {"job": job_id})
        return [Cell(actual, predicted, int(count)) for actual, predicted, count in rows]


def rejection_counts(database: Database, job_id: int) -> dict[Reason, int]:
    """How many images of a job were rejected for each reason, the most frequent first."""
    counts = _summed(database, job_id, tables.batches.c.reasons)
    return {Reason(reason): counts[reason] for reason in sorted(counts, key=lambda reason: (-counts[reason], reason))}


def verdict_counts(database: Database, job_id: int) -> dict[Verdict, int]:
    """How many images of a job are taken for what; every verdict is there, and those never seen are in none."""
    scored = _summed(database, job_id, tables.batches.c.verdicts)
    counts = {verdict: scored[verdict.value] for verdict in Verdict}
    for reason, images in rejection_counts(database, job_id).items():
        if reason.verdict is not None:
            counts[reason.verdict] += images
    return counts


def _summed(database: Database, job_id: int, counts: ColumnElement[Any]) -> Counter[str]:
    """Counts of a job's batches that have ended, added up; a batch that is scored anew has those of before until then."""
    batches, summed = tables.batches, Counter[str]()
    chosen = select(counts).where(batches.c.job_id == job_id, batches.c.state.in_(_ENDED))
    with database.read() as connection:
        for counted in connection.scalars(chosen):
            summed.update(counted)
    return summed


def stage_seconds(database: Database, job_id: int) -> dict[str, float]:
    """Seconds by stage, summed over a job's batches: work of all workers, not time on the clock."""
    seconds: Counter[str] = Counter()
    chosen = select(tables.batches.c.timings).where(tables.batches.c.job_id == job_id)
    with database.read() as connection:
        for timings in connection.scalars(chosen):
            seconds.update(timings or {})
    return dict(seconds)


@cache
def _cells() -> Select[Any]:
    """As the view `job_confusion`; SQLite would add up every job for it, for it does not look into a union of views."""
    cell, batch = tables.confusion.c, tables.batches.c
    job = bindparam("job", type_=batch.job_id.type)
    before, of_job = reviewed.c.true_label_before, reviewed.c.job_id == job
    counted = select(cell.actual, cell.predicted, cell["count"].label("images")).join(
        tables.batches, batch.id == cell.batch_id
    )
    parts = union_all(
        counted.where(batch.job_id == job),
        select(before, reviewed.c.predicted, literal(-1)).where(of_job, before.is_not(None)),
        select(reviewed.c.label, reviewed.c.predicted, literal(1)).where(of_job, reviewed.c.label.is_not(None)),
    ).subquery()
    images = func.sum(parts.c.images)
    cells = select(parts.c.actual, parts.c.predicted, images).group_by(parts.c.actual, parts.c.predicted)
    return cells.having(images != 0)


def select_scored() -> Select[Any]:
    """The scored images, each as a row that `result_of` takes."""
    scored = tables.predictions.c
    return select(
        scored.batch_id,
        scored.position,
        scored.path,
        literal("scored").label("status"),
        scored.label,
        scored.confidence,
        scored.margin,
        scored.verdict,
        scored.true_label,
        null().label("reason"),
        type_coerce(null(), tables.rejections.c.message.type).label("message"),
        scored.sha256,
        scored.string,
        scored.digits,
    )


def select_rejected() -> Select[Any]:
    """The rejected images, each as a row that `result_of` takes, with the columns of `select_scored`."""
    rejected = tables.rejections.c
    return select(
        rejected.batch_id,
        rejected.position,
        rejected.path,
        literal("rejected").label("status"),
        null().label("label"),
        null().label("confidence"),
        null().label("margin"),
        null().label("verdict"),
        rejected.true_label,
        rejected.reason,
        rejected.message,
        null().label("sha256"),
        null().label("string"),
        type_coerce(null(), tables.predictions.c.digits.type).label("digits"),
    )


def result_of(row: Row[Any], model: str | None, word: Word | None = None) -> Result:
    """The image of a row, and what a person said of it."""
    reason = Reason(row.reason) if row.reason is not None else None
    return Result(
        path=row.path,
        status=row.status,
        label=row.label if row.string is None else row.string,
        confidence=row.confidence,
        margin=row.margin,
        verdict=Verdict(row.verdict) if reason is None else reason.verdict,
        true_label=row.true_label if word is None else word.label,
        reason=reason,
        message=row.message,
        sha256=row.sha256,
        model=model,
        digits=tuple(Digit(**digit) for digit in row.digits or ()),
        review=word,
    )


def _select_results(batch_id: int) -> Select[Any]:
    predictions = select_scored().where(tables.predictions.c.batch_id == batch_id)
    rejections = select_rejected().where(tables.rejections.c.batch_id == batch_id)
    both = union_all(predictions, rejections).subquery()
    return select(both).order_by(both.c.position)
