"""What people said elsewhere, taken over into the ledger: each word once, with who said it and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, null, select, union_all

from core import tables
from core.database import Database
from core.errors import DigitlineError, ImageNotFound
from core.ledger import corrections
from core.ledger.corrected import Word, as_correction
from core.ledger.gallery import Place

_corrections, _batches = tables.corrections, tables.batches

#: Images that are looked up by one statement, and words that are kept in one transaction.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Said:
    """A word that somebody said elsewhere."""

    #: Where it was read, as `line 7`, for whoever must mend it.
    where: str
    job_id: int
    #: Of the image, relative to the job's folder.
    path: str
    word: Word
    by: str
    #: When, in UTC; None: now.
    at: datetime | None = None
    #: SHA-256 of the bytes that were judged; None: not known.
    sha256: str | None = None


class Taken(StrEnum):
    """What became of a word."""

    KEPT = "kept"
    #: It stands, or was taken over before.
    KNOWN = "known"
    #: Somebody said something else since.
    OLDER = "older"


class _Image(NamedTuple):
    place: Place
    sha256: str | None


def take_over(database: Database, words: Sequence[Said]) -> dict[Taken, int]:
    """Keep words that were said elsewhere; to do so again changes nothing.

    Every image is looked up before the first word is kept.

    Raises:
        ImageNotFound: a job has no such image, or has not come to it yet.
        DigitlineError: an image is another one than the one that was judged.
    """
    places = _look_up(database, words)
    counts = dict.fromkeys(Taken, 0)
    for start in range(0, len(words), _AT_ONCE):
        with database.begin() as connection:
            for one, place in zip(words[start : start + _AT_ONCE], places[start : start + _AT_ONCE], strict=True):
                counts[_take(connection, place, one)] += 1
    return counts


def _look_up(database: Database, words: Sequence[Said]) -> list[Place]:
    images: dict[tuple[int, str], _Image] = {}
    with database.read() as connection:
        for job_id in {one.job_id for one in words}:
            paths = [one.path for one in words if one.job_id == job_id]
            for start in range(0, len(paths), _AT_ONCE):
                found = _images(connection, job_id, paths[start : start + _AT_ONCE])
                images |= {(job_id, path): image for path, image in found.items()}
    return [_checked(one, images.get((one.job_id, one.path))) for one in words]


def _checked(one: Said, image: _Image | None) -> Place:
    if image is None:
        raise ImageNotFound(f"{one.where}: job {one.job_id} has no image {one.path!r} that was scored or rejected.")
    if None not in (one.sha256, image.sha256) and one.sha256 != image.sha256:
        raise DigitlineError(
            f"{one.where}: what was judged is another image than {one.path!r} of job {one.job_id}.",
            mend="Name the job that it was exported from.",
        )
    return image.place


def _images(connection: Connection, job_id: int, paths: Collection[str]) -> Mapping[str, _Image]:
    of_job = select(_batches.c.id).where(_batches.c.job_id == job_id)
    scored, rejected = tables.predictions.c, tables.rejections.c
    found = union_all(
        *(
            select(part.batch_id, part.position, part.path, sha256.label("sha256")).where(
                part.batch_id.in_(of_job), part.path.in_(paths)
            )
            for part, sha256 in ((scored, scored.sha256), (rejected, null()))
        )
    )
    rows = connection.execute(found)
    return {row.path: _Image(Place(row.batch_id, row.position), row.sha256) for row in rows}


def _take(connection: Connection, place: Place, one: Said) -> Taken:
    there = (_corrections.c.batch_id == place.batch, _corrections.c.position == place.position)
    for row in connection.execute(select(_corrections).where(*there)):
        known = as_correction(row, one.path)
        if known.word == one.word and (row.stands or (row.corrected_by, row.corrected_at) == (one.by, one.at)):
            return Taken.KNOWN
        if row.stands and one.at is not None and row.corrected_at > one.at:
            return Taken.OLDER
    corrections.keep(connection, place, one.word, by=one.by, at=one.at)
    return Taken.KEPT
