"""Drops that stay where they are: which jobs were made of each, and how its files looked then."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, select

from core import tables
from core.database import Database

_jobs, _batches = tables.jobs, tables.batches

#: Batches that are read by one statement; bounds the memory of a drop of a million images.
_CHUNK = 50


def last_claim(database: Database, drop: str) -> int:
    """The number of the last job that was made of a drop; 0: of none.

    Whoever claims the next number, and asked for this one before `submitted`, makes a job of what is new, or none where
    somebody else was quicker.

    Args:
        database: the ledger.
        drop: what the claims of all its jobs begin with.
    """
    with database.read() as connection:
        claims = connection.scalars(select(_jobs.c.claim).where(_is_of(drop)))
        return max((int(claim.removeprefix(drop)) for claim in claims), default=0)


def submitted(database: Database, drop: str) -> Iterator[tuple[Sequence[str], array[int]]]:
    """The files of every batch that was made of a drop, also of what was cancelled, and one mark for each."""
    of_drop = (
        select(_batches.c.id, _batches.c.manifest).join(_jobs, _jobs.c.id == _batches.c.job_id).where(_is_of(drop))
    )
    read = 0
    while True:
        chunk = of_drop.where(_batches.c.id > read).order_by(_batches.c.id).limit(_CHUNK)
        with database.read() as connection:
            rows = connection.execute(chunk).all()
        for row in rows:
            yield row.manifest["paths"], marks_of(row.manifest.get("marks", ""))
        if len(rows) < _CHUNK:
            return
        read = rows[-1].id


def marks_of(text: str) -> array[int]:
    """Marks as they are kept."""
    return array("Q", (int(word, 16) for word in text.split()))


def _is_of(drop: str) -> ColumnElement[bool]:
    return _jobs.c.claim.startswith(drop, autoescape=True)
