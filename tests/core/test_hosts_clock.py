"""A host's clock may be hours off: no statement by which batches change hands carries a moment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import event

from core.database import Database
from core.ledger import batches, jobs, sweeps
from core.vocabulary import JobState
from tests.core.examples import LEASE_TIME, MAX_ATTEMPTS, RUN_OUT, create_job, outcome, send, take


@contextmanager
def parameters(database: Database) -> Iterator[list[Any]]:
    """Gathers every value that this host hands over to the database."""
    handed: list[Any] = []

    def gather(_connection: Any, _cursor: Any, _statement: str, values: Any, _context: Any, many: bool) -> None:
        for one in values if many else [values]:
            handed.extend(one.values() if isinstance(one, dict) else one)

    event.listen(database.engine, "before_cursor_execute", gather)
    yield handed
    event.remove(database.engine, "before_cursor_execute", gather)


def test_no_lease_is_given_renewed_or_taken_back_by_a_hosts_clock(database: Database) -> None:
    with parameters(database) as handed:
        job = create_job(database, [2, 2, 2])
        first, second, third = batches.of_job(database, job.id)
        lease = take(database, first)
        batches.renew(database, lease, LEASE_TIME)
        batches.finish(database, lease, outcome(lease))
        batches.release(database, take(database, second), "it had no luck")
        take(database, third, lease_time=RUN_OUT)
        assert sweeps.take_back_overdue(database, MAX_ATTEMPTS) == [third.id]
        assert send(database, resend_after=0.0, limit=1)
        for batch in (second, third):
            held = take(database, batch)
            batches.finish(database, held, outcome(held))
        assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == []
        assert jobs.get(database, job.id).state is JobState.DONE
    assert LEASE_TIME in handed
    assert [value for value in handed if isinstance(value, date | datetime | time)] == []
