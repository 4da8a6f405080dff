"""Two schedulers, or two people, at the same moment: they wait for each other in one order, and none undoes another."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Table, select, update

from core import tables
from core.database import Database
from core.errors import IllegalTransition
from core.ledger import endings, jobs, steering, sweeps
from core.vocabulary import JobState
from tests.core.examples import MAX_ATTEMPTS, batch_row, create_batch, exhaust
from tests.core.racing import in_background, several_databases, wait_for_blocked


@pytest.mark.parametrize("contested", [0, 1])
@pytest.mark.parametrize("moved", [tables.jobs, tables.batches], ids=str)
def test_closing_jobs_and_giving_batches_up_at_once_do_not_block_each_other(
    postgres: Database, postgres_url: str, moved: Table, contested: int
) -> None:
    both = [create_batch(postgres), create_batch(postgres)]
    for batch in both:
        exhaust(postgres, batch)
    with postgres.begin() as connection:
        # A row that was changed lies behind the others, and is read after them where nothing else is asked for.
        connection.execute(update(moved).where(moved.c.id == 1).values(error="moved"))
    job = tables.jobs.c.id == both[contested].job_id
    with several_databases(postgres_url, 3) as (one, other, holder), holder.begin() as connection:
        connection.execute(select(tables.jobs.c.id).where(job).with_for_update())
        with in_background(partial(sweeps.quarantine_exhausted, one, MAX_ATTEMPTS)) as given_up:
            wait_for_blocked(postgres, 1)
            with in_background(partial(endings.close_all_over, other)) as closed:
                assert closed.result(60) == 0
            connection.rollback()
            assert sorted(given_up.result(60)) == [batch.id for batch in both]
    assert [jobs.get(postgres, batch.job_id).state for batch in both] == [JobState.FAILED] * 2


def test_a_second_retry_does_not_take_the_batch_from_the_worker_that_has_it_since(
    postgres: Database, postgres_url: str
) -> None:
    batch = create_batch(postgres)
    job = steering.cancel(postgres, jobs.get(postgres, batch.job_id))
    with several_databases(postgres_url, 2) as (late, worker), worker.begin() as connection:
        mine = tables.batches.c.id == batch.id
        connection.execute(select(tables.batches.c.id).where(mine).with_for_update())
        with in_background(partial(steering.retry, late, job)) as second_retry:
            wait_for_blocked(postgres, 1)
            # As a retry and a claim leave it that come first.
            connection.execute(update(tables.batches).where(mine).values(state="leased", lease_token="t", attempts=1))
            connection.commit()
            with pytest.raises(IllegalTransition, match="nothing to retry"):
                second_retry.result(60)
    row = batch_row(postgres, batch)
    assert (row["state"], row["lease_token"], row["attempts"]) == ("leased", "t", 1)
