"""What a sweep does: send again what was lost, take back what ran out, give up what kills its workers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import update

from core import clock, tables
from core.database import Database
from core.errors import StaleLease
from core.ledger import batches, endings, jobs, results, sweeps
from core.vocabulary import Accounts, Batch, BatchState, Cell, JobState, Reason
from tests.core.examples import (
    LEASE_TIME,
    MAX_ATTEMPTS,
    RUN_OUT,
    batch_row,
    create_batch,
    create_job,
    exhaust,
    new_job,
    outcome,
    register_model,
    rows,
    score,
    send,
    take,
)
from tests.core.racing import at_once, several_databases


def sent_long_ago(database: Database) -> None:
    """Let every message have been sent an hour ago."""
    with database.begin() as connection:
        connection.execute(update(tables.batches).values(sent_at=clock.seconds_from_now(-3600), unsent=False))


def ids(chosen: Sequence[Batch]) -> list[int]:
    return sorted(batch.id for batch in chosen)


def test_a_queued_batch_that_redis_lost_is_sent_again_once(database: Database) -> None:
    wanted = batches.of_job(database, create_job(database, [1, 2, 3]).id)
    sent_long_ago(database)
    assert send(database) == wanted
    assert send(database) == []


def test_a_batch_just_sent_is_not_sent_again(database: Database) -> None:
    wanted = batches.of_job(database, create_job(database, [1, 2]).id)
    assert send(database) == wanted
    assert send(database) == []


def test_a_batch_that_redis_still_holds_is_not_sent_again(database: Database) -> None:
    first, second, third = batches.of_job(database, create_job(database, [1, 1, 1]).id)
    sent_long_ago(database)
    assert ids(send(database, waiting={first.id, third.id})) == [second.id]
    assert ids(send(database)) == [first.id, third.id]


def test_only_queued_batches_are_sent_again(database: Database) -> None:
    leased, done, queued = batches.of_job(database, create_job(database, [1, 1, 1]).id)
    take(database, leased)
    lease = take(database, done)
    batches.finish(database, lease, outcome(lease))
    sent_long_ago(database)
    assert ids(send(database)) == [queued.id]


def test_of_two_sweeps_at_once_each_batch_goes_to_one(database: Database, database_url: str) -> None:
    wanted = batches.of_job(database, create_job(database, [1] * 40).id)
    sent_long_ago(database)
    with several_databases(database_url, 4) as many:
        answers = at_once([partial(send, mine) for mine in many])
    assert sorted(batch.id for answer in answers for batch in answer) == ids(wanted)


def test_a_batch_whose_lease_ran_out_is_queued_again(database: Database) -> None:
    dead, alive = batches.of_job(database, create_job(database, [1, 1]).id)
    old = take(database, dead, lease_time=RUN_OUT)
    take(database, alive)
    assert sweeps.take_back_overdue(database, MAX_ATTEMPTS) == [dead.id]
    row = batch_row(database, dead)
    assert (row["state"], row["lease_token"], row["attempts"]) == ("queued", None, 1)
    assert row["error"] == "its worker did not finish in time"
    assert batch_row(database, alive)["state"] == "leased"
    with pytest.raises(StaleLease):
        batches.finish(database, old, outcome(old))
    assert rows(database, tables.predictions) == []


def test_a_batch_that_was_tried_too_often_is_not_queued_again(database: Database) -> None:
    batch = create_batch(database)
    exhaust(database, batch)
    assert sweeps.take_back_overdue(database, MAX_ATTEMPTS) == []
    assert batch_row(database, batch)["state"] == "leased"


def test_giving_a_batch_up_leaves_a_row_for_each_of_its_images(database: Database) -> None:
    batch = create_batch(database, 12, labelled=True)
    exhaust(database, batch)
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == [batch.id]
    images = list(results.of_job(database, batch.job_id))
    assert [image.path for image in images] == [f"1/{position}.png" for position in range(12)]
    assert [image.true_label for image in images] == [*range(10), 0, 1]
    assert {(image.status, image.reason) for image in images} == {("rejected", Reason.QUARANTINED)}
    assert "given up after 3 attempts: its worker did not finish in time" in str(images[0].message)
    assert batch_row(database, batch)["state"] == BatchState.QUARANTINED
    cells = results.job_confusion(database, batch.job_id)
    assert {(cell.actual, cell.predicted, cell.count) for cell in cells} == {
        (digit, None, 2 if digit < 2 else 1) for digit in range(10)
    }


def test_giving_the_last_batch_up_closes_the_job(database: Database) -> None:
    job = create_job(database, [3, 2])
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease, labels=[1, None, 2]))
    exhaust(database, second)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    closed = jobs.get(database, job.id)
    assert closed.state is JobState.DONE
    assert closed.accounts == Accounts(found=5, scored=2, rejected=1, quarantined=2)
    assert closed.accounts.balanced


def test_a_job_given_up_as_a_whole_has_failed(database: Database) -> None:
    batch = create_batch(database)
    exhaust(database, batch)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    failed = jobs.get(database, batch.job_id)
    assert (failed.state, failed.accounts) == (JobState.FAILED, Accounts(3, 0, 0, quarantined=3))


def test_a_batch_released_at_its_last_attempt_is_given_up_with_the_reason(database: Database) -> None:
    batch = create_batch(database, 1)
    for _ in range(MAX_ATTEMPTS):
        batches.release(database, take(database, batch), "out of memory")
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == [batch.id]
    (image,) = results.of_job(database, batch.job_id)
    assert image.message == "its batch was given up after 3 attempts: out of memory"


def test_an_attempt_whose_lease_ran_out_while_the_ledger_was_away_counts_against_nobody(database: Database) -> None:
    batch = create_batch(database, 1)
    for _ in range(2 * MAX_ATTEMPTS):
        assert take(database, batch, lease_time=RUN_OUT).attempt == 1
        assert sweeps.take_back_overdue(database, MAX_ATTEMPTS, outage=60.0) == [batch.id]
    exhaust(database, batch)
    assert sweeps.take_back_overdue(database, MAX_ATTEMPTS) == []
    assert sweeps.take_back_overdue(database, MAX_ATTEMPTS, outage=60.0) == [batch.id]
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == []
    assert batch_row(database, batch)["error"] == "the ledger was away"


def test_the_last_attempt_is_let_finish(database: Database) -> None:
    batch = create_batch(database)
    for _ in range(MAX_ATTEMPTS - 1):
        take(database, batch, lease_time=RUN_OUT)
    lease = take(database, batch, lease_time=LEASE_TIME)
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == []
    batches.finish(database, lease, outcome(lease))
    assert jobs.get(database, batch.job_id).state is JobState.DONE


def test_of_sweeps_at_once_one_gives_the_batch_up(database: Database, database_url: str) -> None:
    job = create_job(database, [2] * 6, labelled=True)
    wanted = batches.of_job(database, job.id)
    for batch in wanted:
        exhaust(database, batch)
    with several_databases(database_url, 4) as many:
        answers = at_once([partial(sweeps.quarantine_exhausted, mine, MAX_ATTEMPTS) for mine in many])
    assert sorted(batch_id for answer in answers for batch_id in answer) == ids(wanted)
    assert jobs.get(database, job.id).accounts == Accounts(12, 0, 0, quarantined=12)
    assert len(rows(database, tables.rejections)) == 12
    assert set(results.job_confusion(database, job.id)) == {Cell(0, None, 6), Cell(1, None, 6)}


def test_every_job_that_is_over_is_closed_and_no_other(database: Database) -> None:
    over, still_open = create_job(database, [1, 1]), create_job(database, [1])
    score(database, over)
    with database.begin() as connection:
        connection.execute(update(tables.jobs).values(state=JobState.RUNNING.value, finished_at=None))
    assert endings.close_all_over(database) == 1
    assert jobs.get(database, over.id).state is JobState.DONE
    assert jobs.get(database, still_open.id).state is JobState.RUNNING
    assert endings.close_all_over(database) == 0


def test_a_job_without_images_is_over_and_failed(database: Database) -> None:
    register_model(database)
    job = jobs.create(database, new_job([]))
    assert endings.close_all_over(database) == 1
    assert jobs.get(database, job.id).state is JobState.FAILED


def test_a_batch_in_a_workers_hands_is_sent_again_once_the_worker_is_not_trusted_any_more(database: Database) -> None:
    (batch,) = batches.of_job(database, create_job(database, [1]).id)
    sent_long_ago(database)
    assert send(database, held={batch.id}, held_for=1e6) == []
    assert send(database, held={batch.id}, held_for=1.0) == [batch]


def test_lost_batches_are_sent_a_portion_at_a_time(database: Database) -> None:
    first, second, third = batches.of_job(database, create_job(database, [1, 1, 1]).id)
    sent_long_ago(database)
    assert ids(send(database, limit=2)) == [first.id, second.id]
    assert ids(send(database, limit=2)) == [third.id]
