"""Images by what was found out about them, a page at a time, however many there are.

A page is found by where the last one ended (keyset paging). Batches that hold nothing of what is wanted are told by their
counts and left out unread; the others are read in their order until the page is full. Where what is wanted is rare and the
counts cannot tell, a page ends after so many images, and says where the search goes on: no page takes longer than another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, or_, select, true

from core import tables
from core.database import Database
from core.errors import ImageNotFound
from core.ledger import corrected
from core.ledger.corrected import Word
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


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a gallery."""

    images: Sequence[Placed]
    #: Where the next one begins, after this place; None: there is no more.
    after: Place | None
    #: Whether the page is full; where it is not and there is more, the search was broken off and may go on.
    full: bool


def leaf(database: Database, wanted: Wanted, *, after: Place | None = None, size: int = 60) -> Leaf:
    """The next page of images: of one job in the order of its folder, of all of them the newest batch first.

    Args:
        database: the ledger.
        wanted: which images.
        after: where the page before ended; None: the first one.
        size: images on a page.
    """
    with database.read() as connection:
        chosen, rest = _affordable(connection.execute(_select_window(wanted, after)).all())
        rows: list[Row[Any]] = []
        for portion in _portions(chosen):
            rows += _read(connection, wanted, after, portion, size + 1 - len(rows))
            if len(rows) > size:
                break
        images = [_placed(row) for row in _with_jobs(connection, rows[:size])]
    if len(rows) > size:
        return Leaf(images, images[-1].place, full=True)
    return Leaf(images, rest, full=False)


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


def _select_window(wanted: Wanted, after: Place | None) -> Select[Any]:
    """The next batches in their order, and whether their counts let them hold what is wanted."""
    conditions: Conditions = [_batches.c.state.in_(_ENDED)]
    newest_first = wanted.job is None
    if wanted.job is not None:
        conditions.append(_batches.c.job_id == wanted.job)
    if after is not None:
        conditions.append(_batches.c.id <= after.batch if newest_first else _batches.c.id >= after.batch)
        # A batch that is through is not looked at again, or a search that ended with it would never get on.
        conditions.append(or_(_batches.c.id != after.batch, _batches.c.size > after.position + 1))
    order = _batches.c.id.desc() if newest_first else _batches.c.id
    may_hold = and_(true(), *hints(wanted)).label("may_hold")
    return select(_batches.c.id, _batches.c.size, may_hold).where(*conditions).order_by(order).limit(WINDOW + 1)


def _affordable(window: Sequence[Row[Any]]) -> tuple[list[Row[Any]], Place | None]:
    """The batches that may hold what is wanted, as many as one page may read, and where the next search begins."""
    chosen: list[Row[Any]] = []
    images = 0
    for place, batch in enumerate(window):
        if place == WINDOW or images > BUDGET:
            last = window[place - 1]
            return chosen, Place(last.id, last.size)
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


def _read(
    connection: Connection, wanted: Wanted, after: Place | None, batch_ids: Sequence[int], limit: int
) -> list[Row[Any]]:
    """The wanted images of these batches, in their order."""
    found: list[Row[Any]] = []
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
        if after is not None:
            here.append(or_(columns.batch_id != after.batch, columns.position > after.position))
        order = columns.batch_id.desc() if wanted.job is None else columns.batch_id
        found += connection.execute(part.where(*here).order_by(order, columns.position).limit(limit)).all()
    sign = -1 if wanted.job is None else 1
    return sorted(found, key=lambda row: (sign * row.batch_id, row.position))[:limit]


def _with_jobs(connection: Connection, rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], Any, Word | None]]:
    """Each image's row, that of its job, and what a person said of the image."""
    chosen = (
        select(_batches.c.id.label("batch_id"), _jobs.c.id, _jobs.c.name, _jobs.c.source, _models.c.name.label("model"))
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
    return Placed(job.id, job.name, job.source, Place(row.batch_id, row.position), result)
