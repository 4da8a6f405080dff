"""A batch is claimed under a lease by one worker at a time, and the attempt counts from there."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from core import tables
from core.database import Database
from core.errors import StaleLease
from core.ledger import batches, jobs, sweeps
from core.vocabulary import BatchState, JobState, Lease
from tests.core.examples import (
    LEASE_TIME,
    MAX_ATTEMPTS,
    RUN_OUT,
    batch_row,
    create_batch,
    create_job,
    exhaust,
    outcome,
    rows,
    take,
)
from tests.core.racing import at_once, several_databases

WORKERS = 8

claim = partial(batches.claim, lease_time=LEASE_TIME, max_attempts=MAX_ATTEMPTS)


def test_a_claim_hands_over_everything_the_worker_needs(database: Database) -> None:
    batch = create_batch(database, 12, labelled=True)
    lease = claim(database, batch.id, worker="w1")
    assert isinstance(lease, Lease)
    assert lease.batch == batch
    assert (lease.attempt, lease.source, len(lease.token)) == (1, "file:///scans", 32)
    assert list(lease.manifest.paths) == [f"1/{position}.png" for position in range(12)]
    assert [lease.manifest.true_label(position) for position in range(12)] == [*range(10), 0, 1]


def test_a_claim_counts_the_attempt_before_anything_is_read(database: Database) -> None:
    batch = create_batch(database)
    take(database, batch, worker="w7")
    row = batch_row(database, batch)
    assert (row["attempts"], row["state"], row["worker"]) == (1, "leased", "w7")


def test_the_first_claim_starts_the_job(database: Database) -> None:
    job = create_job(database, [1, 1])
    first, second = batches.of_job(database, job.id)
    take(database, first)
    started = jobs.get(database, job.id)
    assert started.state is JobState.RUNNING
    assert started.started_at is not None
    take(database, second)
    assert jobs.get(database, job.id).started_at == started.started_at


def test_the_lease_ends_by_the_databases_clock(database: Database) -> None:
    batch = create_batch(database)
    take(database, batch, lease_time=90.0)
    row = batch_row(database, batch)
    assert abs(row["lease_until"] - row["started_at"] - timedelta(seconds=90)) < timedelta(seconds=5)


def test_a_live_lease_stands_in_the_way(database: Database) -> None:
    batch = create_batch(database)
    lease = take(database, batch)
    assert claim(database, batch.id, worker="w2") is BatchState.LEASED
    row = batch_row(database, batch)
    assert (row["attempts"], row["worker"], row["lease_token"]) == (1, "w1", lease.token)


def test_a_lease_that_ran_out_goes_to_another_worker(database: Database) -> None:
    batch = create_batch(database)
    old = take(database, batch, lease_time=RUN_OUT)
    new = take(database, batch, worker="w2")
    assert (new.attempt, batch_row(database, batch)["worker"]) == (2, "w2")
    assert new.token != old.token


def test_nobody_may_try_more_often_than_allowed(database: Database) -> None:
    batch = create_batch(database)
    exhaust(database, batch)
    assert claim(database, batch.id, worker="w4") is BatchState.LEASED
    assert batch_row(database, batch)["attempts"] == MAX_ATTEMPTS


def test_a_finished_batch_cannot_be_claimed(database: Database) -> None:
    batch = create_batch(database)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease))
    assert claim(database, batch.id, worker="w2") is BatchState.DONE


def test_a_batch_that_never_was_counts_as_cancelled(database: Database) -> None:
    assert claim(database, 4711, worker="w1") is BatchState.CANCELLED


def test_of_many_workers_racing_for_a_batch_one_gets_it(database: Database, database_url: str) -> None:
    wanted = batches.of_job(database, create_job(database, [1] * 12).id)

    def claim_all(mine: Database, worker: str) -> list[Lease | BatchState]:
        return [claim(mine, batch.id, worker=worker) for batch in wanted]

    with several_databases(database_url, WORKERS) as many:
        answers = at_once([partial(claim_all, mine, f"w{number}") for number, mine in enumerate(many)])
    for batch, of_batch in zip(wanted, zip(*answers, strict=True), strict=True):
        leases = [answer for answer in of_batch if isinstance(answer, Lease)]
        assert len(leases) == 1
        assert [answer for answer in of_batch if not isinstance(answer, Lease)] == [BatchState.LEASED] * (WORKERS - 1)
        assert batch_row(database, batch)["lease_token"] == leases[0].token
    assert [row["attempts"] for row in rows(database, tables.batches)] == [1] * len(wanted)


def test_of_many_workers_racing_for_a_lease_that_ran_out_one_gets_it(database: Database, database_url: str) -> None:
    wanted = batches.of_job(database, create_job(database, [1] * 6).id)
    for batch in wanted:
        take(database, batch, lease_time=RUN_OUT)

    def claim_all(mine: Database) -> list[int]:
        return [batch.id for batch in wanted if isinstance(claim(mine, batch.id, worker="w2"), Lease)]

    with several_databases(database_url, WORKERS) as many:
        answers = at_once([partial(claim_all, mine) for mine in many])
    assert sorted(batch_id for answer in answers for batch_id in answer) == [batch.id for batch in wanted]
    assert [row["attempts"] for row in rows(database, tables.batches)] == [2] * len(wanted)


def test_renewing_moves_the_end_of_the_lease(database: Database) -> None:
    batch = create_batch(database)
    lease = take(database, batch, lease_time=RUN_OUT)
    batches.renew(database, lease, LEASE_TIME)
    assert claim(database, batch.id, worker="w2") is BatchState.LEASED
    assert sweeps.take_back_overdue(database, MAX_ATTEMPTS) == []


def test_a_stale_lease_cannot_be_renewed(database: Database) -> None:
    batch = create_batch(database)
    old = take(database, batch, lease_time=RUN_OUT)
    new = take(database, batch, worker="w2")
    before = batch_row(database, batch)
    with pytest.raises(StaleLease, match=f"Batch {batch.id} was taken over"):
        batches.renew(database, old, 1000.0)
    assert batch_row(database, batch) == before
    batches.renew(database, new, LEASE_TIME)


def test_a_released_batch_is_queued_again_and_says_why(database: Database) -> None:
    batch = create_batch(database)
    batches.release(database, take(database, batch), "the worker was told to stop")
    row = batch_row(database, batch)
    assert (row["state"], row["lease_token"], row["lease_until"]) == ("queued", None, None)
    assert (row["attempts"], row["error"]) == (1, "the worker was told to stop")
    assert take(database, batch, worker="w2").attempt == 2


def test_releasing_a_stale_lease_leaves_the_new_holder_alone(database: Database) -> None:
    batch = create_batch(database)
    old = take(database, batch, lease_time=RUN_OUT)
    take(database, batch, worker="w2")
    before = batch_row(database, batch)
    batches.release(database, old, "too late")
    assert batch_row(database, batch) == before
