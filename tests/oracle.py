"""The oracle of every fault test, in the style of Jepsen's total-queue checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import select

from core import tables
from core.database import Database
from core.ledger import jobs, results
from core.vocabulary import Cell


def check_job(database: Database, job_id: int, expected: Mapping[str, int | str | None]) -> None:
    """Assert that a job lost nothing, invented nothing and counted nothing twice.

    Args:
        database: the ledger.
        job_id: a job that has ended.
        expected: by path, the label that a quiet run gave, None for a rejected image.
    """
    job = jobs.get(database, job_id)
    assert job.accounts.balanced, job.accounts
    found = list(results.of_job(database, job_id))
    times = Counter(result.path for result in found)
    lost, unexpected = expected.keys() - times.keys(), times.keys() - expected.keys()
    duplicated = {path for path, count in times.items() if count > 1}
    assert (lost, unexpected, duplicated) == (set(), set(), set())
    assert {result.path: result.label for result in found} == dict(expected)
    check_confusion(database, job_id)


def check_confusion(database: Database, job_id: int) -> None:
    """Assert that the confusion cells are those of the rows."""
    rows = Counter(
        (result.true_label, result.label if isinstance(result.label, int) else None)
        for result in results.of_job(database, job_id)
        if result.true_label is not None
    )
    cells = results.job_confusion(database, job_id)
    assert {(cell.actual, cell.predicted): cell.count for cell in cells} == dict(rows)
    assert len({(cell.actual, cell.predicted) for cell in cells}) == len(cells)
    assert all(isinstance(cell, Cell) for cell in cells)


def attempts(database: Database, job_id: int) -> list[int]:
    """How often each batch of a job was tried."""
    batches = tables.batches
    chosen = select(batches.c.attempts).where(batches.c.job_id == job_id).order_by(batches.c.sequence)
    with database.read() as connection:
        return list(connection.scalars(chosen))
