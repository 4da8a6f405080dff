"""Images by what was found out about them, a page at a time, however many there are.

A page is found by where the one beside it ends (keyset paging), forwards and backwards alike. Batches that hold nothing of
what is wanted are told by their counts and left out unread; the others are read in their order until the page is full. Where
what is wanted is rare and the counts cannot tell, a page ends after so many images, and says where the search goes on: no
page takes longer than another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, literal, or_, select, true

from core import tables
from core.database import Database
from core.errors import ImageNotFound
from core.ledger import corrected
from core.ledger.corrected import Word
from core.ledger.jobs import UNFILED, is_split
from core.ledger.results import Result, result_of, select_rejected, select_scored
from core.ledger.wanted import Conditions, Wanted, asks_for_truth, hints, rejected_conditions, scored_conditions
from core.vocabulary import BatchState

_jobs, _batches, _models = tables.jobs, tables.batches, tables.models
_scored, _rejected, _said = tables.predictions.c, tables.rejections.c, tables.corrections.c

#: Batches whose counts are looked at for a page, and images of the others that are read for it, at the most.
WINDOW, BUDGET = 4_000, 120_000
#: Images of batches that are read by one statement.
_PORTION = 8_000

#: States of a batch whose images have all met their end.
_ENDED = (BatchState.DONE.value, BatchState.QUARANTINED.value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image stands."""

    batch: int
    position: int


@dataclass(frozen=True, slots=True)
class Placed:
    """An image and where it stands; the two numbers of its place name it."""

    job_id: int
    job_name: str
    #: URL of the folder that the job's images lie in.
    source: str
    place: Place
    result: Result
    #: Of the very model that the job is pinned to; there may be several of its name.
    model_id: int
    #: Whether the job reads a picture of several digits as one string.
    split: bool
    #: Whether the job's drop is still to be filed, so that the image may lie elsewhere in a moment.
    unfiled: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a gallery."""

    images: Sequence[Placed]
    #: The page before this one ends before this place; None: this is the first.
    before: Place | None
    #: The next one begins after this place; None: this is the last.
    after: Place | None
    #: Whether the page is full; where it is not and there is more that way, the search was broken off and may go on.
    full: bool


@dataclass(frozen=True, slots=True)
class _Course:
    """Which images are read, from where, and which way."""

    wanted: Wanted
    #: Not read itself; None: from the first image.
    start: Place | None
    back: bool

    @property
    def falling(self) -> bool:
        """Whether the numbers of the batches fall on the way."""
        return (self.wanted.job is None) != self.back

    def rank(self, row: Row[Any]) -> tuple[int, int]:
        """Where an image's row comes on the way."""
        return -row.batch_id if self.falling else row.batch_id, -row.position if self.back else row.position


def leaf(
    database: Database, wanted: Wanted, *, after: Place | None = None, before: Place | None = None, size: int = 60
) -> Leaf:
    """A page of images: of one job in the order of its folder, of all of them the newest batch first.

    Args:
        database: the ledger.
        wanted: which images.
        after: where the page before this one ends; None: this is the first.
        before: where the next page begins, for the one that ends there; goes before `after`.
        size: images on a page.
    """
    course = _Course(wanted, before or after, back=before is not None)
    with database.read() as connection:
        chosen, rest = _affordable(connection.execute(_select_window(course)).all(), back=course.back)
        rows: list[Row[Any]] = []
        for portion in _portions(chosen):
            rows += _read(connection, course, portion, size + 1 - len(rows))
            if len(rows) > size:
                break
        images = [_placed(row) for row in _with_jobs(connection, rows[:size])]
    full = len(rows) > size
    further = images[-1].place if full else rest
    if before is None:
        return Leaf(images, None if after is None else Place(after.batch, after.position + 1), further, full)
    images.reverse()
    last = images[-1].place if images else Place(before.batch, before.position - 1)
    return Leaf(images, further, last, full)


def image(database: Database, place: Place) -> Placed:
    """The image at a place.

    Raises:
        ImageNotFound: there is none.
    """
    with database.read() as connection:
        for part, columns in ((select_scored(), _scored), (select_rejected(), _rejected)):
            here = and_(columns.batch_id == place.batch, columns.position == place.position)
            found = connection.execute(part.where(here)).all()
            if found:
                (known,) = _with_jobs(connection, found)
                return _placed(known)
    raise ImageNotFound(f"There is no image at position {place.position} of batch {place.batch}.")


def _select_window(course: _Course) -> Select[Any]:
    """The next batches on the way, and whether their counts let them hold what is wanted."""
    wanted, start = course.wanted, course.start
    conditions: Conditions = [_batches.c.state.in_(_ENDED)]
    if wanted.job is not None:
        conditions.append(_batches.c.job_id == wanted.job)
    if start is not None:
        conditions.append(_batches.c.id <= start.batch if course.falling else _batches.c.id >= start.batch)
        # A batch that is through is not looked at again, or a search that ended with it would never get on.
        images_left = literal(start.position) > 0 if course.back else _batches.c.size > start.position + 1
        conditions.append(or_(_batches.c.id != start.batch, images_left))
    order = _batches.c.id.desc() if course.falling else _batches.c.id
    may_hold = and_(true(), *hints(wanted)).label("may_hold")
    return select(_batches.c.id, _batches.c.size, may_hold).where(*conditions).order_by(order).limit(WINDOW + 1)


def _affordable(window: Sequence[Row[Any]], *, back: bool) -> tuple[list[Row[Any]], Place | None]:
    """The batches that may hold what is wanted, as many as one page may read, and from where the search goes on."""
    chosen: list[Row[Any]] = []
    images = 0
    for place, batch in enumerate(window):
        if place == WINDOW or images > BUDGET:
            last = window[place - 1]
            return chosen, Place(last.id, 0 if back else last.size)
        if batch.may_hold:
            chosen.append(batch)
            images += batch.size
    return chosen, None


def _portions(chosen: Sequence[Row[Any]]) -> Iterator[list[int]]:
    """The batches' ids, as many at a time as one statement is to read."""
    portion: list[int] = []
    images = 0
    for batch in chosen:
        portion.append(batch.id)
        images += batch.size
        if images >= _PORTION:
            yield portion
            portion, images = [], 0
    if portion:
        yield portion


def _read(connection: Connection, course: _Course, batch_ids: Sequence[int], limit: int) -> list[Row[Any]]:
    """The wanted images of these batches, in the order of the way."""
    found: list[Row[Any]] = []
    wanted, start = course.wanted, course.start
    reviewed = asks_for_truth(wanted) and bool(corrected.of_batches(connection, batch_ids))
    for selected, columns, conditions_of in (
        (select_scored(), _scored, scored_conditions),
        (select_rejected(), _rejected, rejected_conditions),
    ):
        part = selected
        truth: ColumnElement[Any] = columns.true_label
        if reviewed:
            said = and_(_said.batch_id == columns.batch_id, _said.position == columns.position, _said.stands)
            part = selected.outerjoin(tables.corrections, said)
            truth = case((_said.id.is_not(None), _said.new_label), else_=columns.true_label)
        conditions = conditions_of(wanted, truth)
        if conditions is None:
            continue
        here = [columns.batch_id.in_(batch_ids), *conditions]
        if start is not None:
            ahead = columns.position < start.position if course.back else columns.position > start.position
            here.append(or_(columns.batch_id != start.batch, ahead))
        order = (
            columns.batch_id.desc() if course.falling else columns.batch_id,
            columns.position.desc() if course.back else columns.position,
        )
        found += connection.execute(part.where(*here).order_by(*order).limit(limit)).all()
    return sorted(found, key=course.rank)[:limit]


def _with_jobs(connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], Any, Word | None]]:
    """Each image's row, that of its job, and what a person said of the image."""
    of_job = (
        _jobs.c.id,
        _jobs.c.name,
        _jobs.c.source,
        _jobs.c.model_id,
        _jobs.c.options,
        and_(*UNFILED).label("unfiled"),
    )
    chosen = (
        select(_batches.c.id.label("batch_id"), *of_job, _models.c.name.label("model"))
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .join(_models, _models.c.id == _jobs.c.model_id)
        .where(_batches.c.id.in_({row.batch_id for row in rows}))
    )
    of_batch = {row.batch_id: row for row in connection.execute(chosen)} if rows else {}
    words = corrected.of_batches(connection, list(of_batch))
    return [(row, of_batch[row.batch_id], words.get((row.batch_id, row.position))) for row in rows]


def _placed(found: tuple[Row[Any], Any, Word | None]) -> Placed:
    row, job, word = found
    result = result_of(row, job.model, word)
    place = Place(row.batch_id, row.position)
    of_job = {"model_id": job.model_id, "split": is_split(job.options), "unfiled": bool(job.unfiled)}
    return Placed(job.id, job.name, job.source, place, result, **of_job)
