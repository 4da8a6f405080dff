"""Batches of one job that end at the same moment wait for each other, and for nothing that waits for them."""

from __future__ import annotations

from functools import partial

from sqlalchemy import select

from core import tables
from core.database import Database
from core.ledger import batches, jobs
from core.vocabulary import Accounts, JobState
from tests.core.examples import create_job, outcome, take
from tests.core.racing import in_background, several_databases, wait_for_blocked


def test_two_batches_that_end_at_once_are_both_recorded_at_the_first_attempt(
    postgres: Database, postgres_url: str
) -> None:
    job = create_job(postgres, [3, 3])
    first, second = (take(postgres, batch) for batch in batches.of_job(postgres, job.id))
    row = select(tables.jobs.c.id).where(tables.jobs.c.id == job.id)
    with several_databases(postgres_url, 3) as (one, other, holder), holder.begin() as connection:
        # Both get as far as the job's row, which a foreign key lets them share and the end of the job does not.
        connection.execute(row.with_for_update(key_share=True))
        with (
            in_background(partial(batches.finish, one, first, outcome(first))) as finished,
            in_background(partial(batches.finish, other, second, outcome(second))) as finished_too,
        ):
            wait_for_blocked(postgres, 2)
            connection.rollback()
            assert (finished.result(60), finished_too.result(60)) == (None, None)
    ended = jobs.get(postgres, job.id)
    assert (ended.state, ended.accounts) == (JobState.DONE, Accounts(6, 6, 0, 0))
