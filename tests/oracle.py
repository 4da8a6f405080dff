"""The oracle of every fault test, in the style of Jepsen's total-queue checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from core import tables
from core.database import Database
from core.ledger import jobs, results

#: By path, the label that a quiet run gave, None for an image that is not scored.
Expected = Mapping[str, int | str | None]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a job that has ended; nothing, where all is well."""

    #: Images that were found and have no row.
    lost: frozenset[str]
    #: Images that have a row and were never there.
    unexpected: frozenset[str]
    #: Images that have two rows.
    duplicated: frozenset[str]
    #: Images that were read otherwise than in a quiet run: what was expected and what came out.
    mislabelled: Mapping[str, tuple[object, object]]
    #: Images between found and scored + rejected + quarantined.
    unaccounted: int
    #: Whether the confusion cells are those of the rows, one row a cell.
    confusion_agrees: bool


ALL_WELL = Findings(frozenset(), frozenset(), frozenset(), {}, 0, confusion_agrees=True)


def findings(database: Database, job_id: int, expected: Expected) -> Findings:
    """Look at a job that has ended.

    Args:
        database: the ledger.
        job_id: the job.
        expected: what a quiet run gave.
    """
    labels = [(result.path, result.label) for result in results.of_job(database, job_id)]
    times = Counter(path for path, _ in labels)
    return Findings(
        lost=frozenset(expected.keys() - times.keys()),
        unexpected=frozenset(times.keys() - expected.keys()),
        duplicated=frozenset(path for path, count in times.items() if count > 1),
        mislabelled={
            path: (expected[path], label) for path, label in labels if path in expected and label != expected[path]
        },
        unaccounted=jobs.get(database, job_id).accounts.open,
        confusion_agrees=confusion_agrees(database, job_id),
    )


def labels_of(database: Database, job_id: int) -> Expected:
    """By path, what came out of a job; of a quiet run, what is expected of others."""
    return {result.path: result.label for result in results.of_job(database, job_id)}


def check_job(database: Database, job_id: int, expected: Expected) -> None:
    """Assert that a job lost nothing, invented nothing, counted nothing twice and read everything as a quiet run did."""
    assert findings(database, job_id, expected) == ALL_WELL


def check_confusion(database: Database, job_id: int) -> None:
    """Assert that the confusion cells are those of the rows."""
    assert confusion_agrees(database, job_id)


def confusion_agrees(database: Database, job_id: int) -> bool:
    """Tell whether the confusion cells are those of the rows, one row a cell."""
    rows = Counter(
        (result.true_label, result.label if isinstance(result.label, int) else None)
        for result in results.of_job(database, job_id)
        if result.true_label is not None
    )
    cells = results.job_confusion(database, job_id)
    return sorted(map(repr, rows.items())) == sorted(
        repr(((cell.actual, cell.predicted), cell.count)) for cell in cells
    )


def attempts(database: Database, job_id: int) -> list[int]:
    """How often each batch of a job was tried."""
    batches = tables.batches
    chosen = select(batches.c.attempts).where(batches.c.job_id == job_id).order_by(batches.c.sequence)
    with database.read() as connection:
        return list(connection.scalars(chosen))
