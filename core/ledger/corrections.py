"""What people say of single images: their word goes over a model's and over a label that came with the image."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Table,
    and_,
    func,
    insert,
    select,
    union_all,
    update,
)

from core import clock, tables
from core.database import Database
from core.errors import ImageNotFound
from core.ledger.corrected import Correction, Word, as_correction, of_job
from core.ledger.gallery import Place

__all__ = ["Correction", "Place", "Withdrawal", "Word", "keep", "of_job", "record", "say", "withdraw", "withdraw_of"]

_corrections, _batches = tables.corrections, tables.batches


class Withdrawal(NamedTuple):
    """A word that was taken back."""

    place: Place
    job_id: int
    #: Of the image, relative to the job's folder; empty while its batch is scored anew.
    path: str
    word: Word
    #: When it was said.
    corrected_at: datetime


def record(database: Database, job_id: int, path: str, word: Word | int, *, by: str) -> Correction:
    """Keep a person's word on an image; an earlier one stays as history.

    Args:
        database: the ledger.
        job_id: the job that the image was scored or rejected in.
        path: of the image, relative to the job's folder.
        word: what it shows; a number: that digit.
        by: who says so.

    Raises:
        ImageNotFound: the job has no such image, or has not come to it yet.
        ValueError: the number is no digit.
    """
    said = Word.digit(word) if isinstance(word, int) else word
    with database.begin() as connection:
        return keep(connection, _find(connection, job_id, path), said, by=by)


def say(database: Database, place: Place, word: Word, *, by: str) -> Correction:
    """Keep a person's word on the image at a place; as `record` otherwise.

    Raises:
        ImageNotFound: no image that was scored or rejected stands there.
    """
    with database.begin() as connection:
        return keep(connection, place, word, by=by)


def withdraw(database: Database, *, by: str, correction_id: int | None = None) -> Withdrawal | None:
    """Take back a word; the one before it on the same image stands again, and nothing is lost.

    Args:
        database: the ledger.
        by: who takes back.
        correction_id: the word; None: the last that `by` said and did not take back yet.

    Returns:
        What was taken back; None where there is nothing, or somebody took it back already.
    """
    theirs = _corrections.c.corrected_by == by if correction_id is None else _corrections.c.id == correction_id
    return _withdraw(database, theirs, by)


def withdraw_of(database: Database, job_id: int, path: str, *, by: str) -> Withdrawal | None:
    """Take back the word that stands on an image, whoever said it; as `withdraw` otherwise.

    Raises:
        ImageNotFound: the job has no such image, or has not come to it yet.
    """
    with database.read() as connection:
        place = _find(connection, job_id, path)
    return _withdraw(database, and_(_at(_corrections, place), _corrections.c.stands), by)


def keep(connection: Connection, place: Place, word: Word, *, by: str, at: datetime | None = None) -> Correction:
    """As `say`, within a transaction.

    Args:
        connection: of the transaction.
        place: of the image.
        word: what it shows.
        by: who says so.
        at: when it was said, in UTC; None: now.

    Raises:
        ImageNotFound: no image that was scored or rejected stands there.
    """
    job_id = _lock(connection, place)
    image = connection.execute(_images(lambda part: _at(part, place))).first()
    if job_id is None or image is None:
        raise ImageNotFound(f"There is no image {place.position} of batch {place.batch} that was scored or rejected.")
    standing = (_at(_corrections, place), _corrections.c.stands)
    last = connection.execute(select(_corrections.c.new_label).where(*standing)).first()
    connection.execute(update(_corrections).where(*standing).values(stands=False))
    said = {
        "job_id": job_id,
        "batch_id": place.batch,
        "position": place.position,
        "corrected_by": by,
        "corrected_at": at or clock.now(),
        "old_label": image.believed if last is None else last.new_label,
        "new_label": word.label,
        "verdict": word.verdict.value,
        "string": word.string,
    }
    row = connection.execute(insert(_corrections).values(said).returning(*_corrections.c)).one()
    return as_correction(row, image.path)


def _withdraw(database: Database, which: ColumnElement[bool], by: str) -> Withdrawal | None:
    there = (which, _corrections.c.withdrawn_at.is_(None))
    chosen = select(_corrections).where(*there).order_by(_corrections.c.id.desc()).limit(1)
    with database.begin() as connection:
        found = connection.execute(chosen).first()
        if found is None:
            return None
        place = Place(found.batch_id, found.position)
        _lock(connection, place)
        taken_back = {"withdrawn_by": by, "withdrawn_at": clock.now(), "stands": False}
        still = (_corrections.c.id == found.id, _corrections.c.withdrawn_at.is_(None))
        if connection.execute(update(_corrections).where(*still).values(taken_back)).rowcount != 1:
            return None
        _let_the_last_stand(connection, place)
        image = connection.execute(_images(lambda part: _at(part, place))).first()
    path = "" if image is None else image.path
    return Withdrawal(place, found.job_id, path, as_correction(found, path).word, found.corrected_at)


def _let_the_last_stand(connection: Connection, place: Place) -> None:
    there = (_at(_corrections, place), _corrections.c.withdrawn_at.is_(None))
    last = select(func.max(_corrections.c.id)).where(*there).scalar_subquery()
    connection.execute(update(_corrections).where(_corrections.c.id == last).values(stands=True))


def _lock(connection: Connection, place: Place) -> int | None:
    """Let nobody else speak of the batch's images until the transaction ends; returns the job's id."""
    chosen = select(_batches.c.job_id).where(_batches.c.id == place.batch)
    return connection.execute(chosen.with_for_update(key_share=True)).scalar_one_or_none()


def _find(connection: Connection, job_id: int, path: str) -> Place:
    of_job = select(_batches.c.id).where(_batches.c.job_id == job_id)
    row = connection.execute(_images(lambda part: and_(part.c.batch_id.in_(of_job), part.c.path == path))).first()
    if row is None:
        raise ImageNotFound(f"Job {job_id} has no image {path!r} that was scored or rejected.")
    return Place(row.batch_id, row.position)


def _at(table: Table, place: Place) -> ColumnElement[bool]:
    return and_(table.c.batch_id == place.batch, table.c.position == place.position)


def _images(which: Callable[[Table], ColumnElement[bool]]) -> CompoundSelect[tuple[int, int, str, int | None]]:
    """Images that were scored or rejected: batch, position, path and the label they are believed to show."""
    scored, rejected = tables.predictions, tables.rejections
    believed = func.coalesce(scored.c.true_label, scored.c.label)
    return union_all(
        *(
            select(part.c.batch_id, part.c.position, part.c.path, label.label("believed")).where(which(part))
            for part, label in ((scored, believed), (rejected, rejected.c.true_label))
        )
    )
