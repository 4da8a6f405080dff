"""What stands of all that people said: by image, by batch, and what it adds to the counts of a job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Row, Select, bindparam, case, column, func, select, table

from core import tables
from core.columns import PathText, UtcDateTime
from core.database import Database
from core.vocabulary import DIGITS, Job, Verdict

_corrections, _batches, _predictions = tables.corrections, tables.batches, tables.predictions

#: A view of the migrations: every image of which a word stands.
reviewed = table(
    "reviewed",
    *(column(name) for name in ("job_id", "batch_id", "position")),
    column("path", PathText),
    *(column(name) for name in ("verdict", "label", "string", "predicted", "true_label_before", "reviewed_by")),
    column("reviewed_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says an image shows."""

    #: `digit`, `several` or `not_a_digit`.
    verdict: Verdict
    #: The digit; None where it is none, or several.
    label: int | None = None
    #: The string, where several digits were said to be one.
    string: str | None = None

    @classmethod
    def digit(cls, label: int) -> Self:
        """One digit.

        Raises:
            ValueError: the label is none.
        """
        if not 0 <= label < DIGITS:
            raise ValueError(f"{label} is no digit.")
        return cls(Verdict.DIGIT, label)

    @classmethod
    def of(cls, text: str) -> Self:
        """From what a person types: `7`, `not_a_digit`, `several`, or a string such as `1947`.

        Raises:
            ValueError: it is none of these.
        """
        if text in (Verdict.NOT_A_DIGIT, Verdict.SEVERAL):
            return cls(Verdict(text))
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_STRING):
            raise ValueError(f"{text!r} is no digit, no string of digits, not_a_digit or several.")
        return cls.digit(int(text)) if len(text) == 1 else cls(Verdict.SEVERAL, string=text)

    def __str__(self) -> str:
        return str(self.label) if self.label is not None else self.string or self.verdict.value


#: Digits of a string at most, as a person types it.
_LONGEST_STRING = 100


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word on one image."""

    #: Relative to the job's folder.
    path: str
    #: What was believed before: the last correction, else the true label, else the model's; None: no single digit.
    old_label: int | None
    #: The digit; None where the image was said to show none, or several.
    new_label: int | None
    corrected_by: str
    #: `digit`, `several` or `not_a_digit`, and the string where several digits were said to be one.
    verdict: Verdict = Verdict.DIGIT
    string: str | None = None
    id: int = field(default=0, compare=False)
    corrected_at: datetime | None = field(default=None, compare=False)

    @property
    def word(self) -> Word:
        """What was said."""
        return Word(self.verdict, self.new_label, self.string)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An image of which a word stands, with all that is known of it."""

    job_id: int
    job_name: str
    #: URL of the folder that it lies in.
    source: str
    #: Relative to that folder.
    path: str
    word: Word
    reviewed_by: str
    reviewed_at: datetime
    #: SHA-256 of the bytes that were scored; None where it was rejected.
    sha256: str | None
    #: What the model of the job read, and how sure it was; None where it was rejected.
    predicted: int | str | None
    confidence: float | None
    #: Name of that model.
    model: str
    #: The label that came with it.
    true_label_before: int | None
    #: Where it stands in the ledger.
    batch: int
    position: int


class Added(NamedTuple):
    """What the reviewed images of a job add to the counts of its batches."""

    #: Images of which a word stands.
    reviewed: int = 0
    labelled: int = 0
    correct: int = 0
    #: Scored images whose true label is known from review alone.
    labelled_by_review: int = 0


def of_job(database: Database, job_id: int) -> list[Correction]:
    """The word that stands on every corrected image of a job, in the order of the folder."""
    same = (reviewed.c.batch_id == _corrections.c.batch_id) & (reviewed.c.position == _corrections.c.position)
    found = select(_corrections, reviewed.c.path).join(reviewed, same)
    found = found.where(reviewed.c.job_id == job_id, _corrections.c.job_id == job_id, _corrections.c.stands)
    with database.read() as connection:
        rows = connection.execute(found.order_by(_corrections.c.batch_id, _corrections.c.position)).all()
    return [as_correction(row, row.path) for row in rows]


def of_batches(connection: Connection, batch_ids: Collection[int]) -> dict[tuple[int, int], Word]:
    """The words that stand on images of these batches, by batch and position."""
    rows = connection.execute(_of_batches(), {"batches": list(batch_ids)})
    return {(row.batch_id, row.position): _word(row.verdict, row.new_label, row.string) for row in rows}


def with_reviews(connection: Connection, jobs: Sequence[Job]) -> list[Job]:
    """The jobs, with what people said in their counts."""
    rows = connection.execute(_added(), {"jobs": [job.id for job in jobs]})
    added = {job_id: Added(*map(int, counts)) for job_id, *counts in rows}
    return [_with(job, added[job.id]) if job.id in added else job for job in jobs]


def every(database: Database, job_ids: Collection[int] | None = None) -> Iterator[Reviewed]:
    """Every reviewed image of some jobs, or of all, in the order of the batches; read some thousand at a time."""
    place: tuple[int, int] | None = None
    while True:
        with database.read() as connection:
            rows = connection.execute(_select_reviewed(job_ids, place)).all()
        yield from map(_reviewed, rows)
        if len(rows) < _AT_ONCE:
            return
        place = rows[-1].batch_id, rows[-1].position


#: Images that `every` reads at once.
_AT_ONCE = 2000


def as_correction(row: Row[Any], path: str) -> Correction:
    """The correction of a row of the table."""
    word = _word(row.verdict, row.new_label, row.string)
    return Correction(
        path, row.old_label, word.label, row.corrected_by, word.verdict, word.string, row.id, row.corrected_at
    )


@cache  # once for all: it is asked of every batch whose results are read
def _of_batches() -> Select[Any]:
    said = _corrections.c
    chosen = select(said.batch_id, said.position, said.verdict, said.new_label, said.string)
    return chosen.where(said.batch_id.in_(bindparam("batches", expanding=True)), said.stands)


@cache  # once for all: it is asked each time somebody looks whether a job has ended
def _added() -> Select[Any]:
    label, predicted, before = reviewed.c.label, reviewed.c.predicted, reviewed.c.true_label_before
    read = predicted.is_not(None)
    labelled = _number(read & label.is_not(None)) - _number(read & before.is_not(None))
    correct = _number(label == predicted) - _number(before == predicted)
    by_review = _number(read & label.is_not(None) & before.is_(None))
    return (
        select(reviewed.c.job_id, func.count(), func.sum(labelled), func.sum(correct), func.sum(by_review))
        .where(reviewed.c.job_id.in_(bindparam("jobs", expanding=True)))
        .group_by(reviewed.c.job_id)
    )


def _with(job: Job, added: Added) -> Job:
    return replace(
        job,
        labelled=job.labelled + added.labelled,
        correct=job.correct + added.correct,
        reviewed=added.reviewed,
        labelled_by_review=added.labelled_by_review,
    )


def _number(condition: Any) -> Any:
    return case((condition, 1), else_=0)


def _select_reviewed(job_ids: Collection[int] | None, after: tuple[int, int] | None) -> Select[Any]:
    same = (_predictions.c.batch_id == reviewed.c.batch_id) & (_predictions.c.position == reviewed.c.position)
    of_job = (tables.jobs.c.name.label("job_name"), tables.jobs.c.source, tables.models.c.name.label("model"))
    of_image = (_predictions.c.sha256, _predictions.c.confidence, _predictions.c.string.label("predicted_string"))
    chosen = (
        select(reviewed, *of_job, *of_image)
        .join(tables.jobs, tables.jobs.c.id == reviewed.c.job_id)
        .join(tables.models, tables.models.c.id == tables.jobs.c.model_id)
        .outerjoin(_predictions, same)
        .order_by(reviewed.c.batch_id, reviewed.c.position)
        .limit(_AT_ONCE)
    )
    if job_ids is not None:
        chosen = chosen.where(reviewed.c.job_id.in_(job_ids))
    if after is not None:
        batch, position = reviewed.c.batch_id, reviewed.c.position
        chosen = chosen.where((batch > after[0]) | ((batch == after[0]) & (position > after[1])))
    return chosen


def _reviewed(row: Row[Any]) -> Reviewed:
    return Reviewed(
        job_id=row.job_id,
        job_name=row.job_name,
        source=row.source,
        path=row.path,
        word=_word(row.verdict, row.label, row.string),
        reviewed_by=row.reviewed_by,
        reviewed_at=row.reviewed_at,
        sha256=row.sha256,
        predicted=row.predicted if row.predicted_string is None else row.predicted_string,
        confidence=row.confidence,
        model=row.model,
        true_label_before=row.true_label_before,
        batch=row.batch_id,
        position=row.position,
    )


def _word(verdict: str, label: int | None, string: str | None) -> Word:
    return Word(Verdict(verdict), label, string)
