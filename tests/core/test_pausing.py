"""A job that has spent its failure budget pauses, says why, and goes on or ends as a person decides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core import tables
from core.database import Database
from core.errors import IllegalTransition
from core.ledger import batches, jobs, steering
from core.vocabulary import Accounts, Batch, BatchState, Job, JobState, Reason
from tests.core.examples import MAX_ATTEMPTS, create_job, exhaust, outcome, rejection, rows, take


def paused_job(database: Database, sizes: Sequence[int] = (2, 3, 5), max_rejected: float = 0.1) -> tuple[Job, Batch]:
    """A job, labelled, of whose first batch every image is rejected; and its second batch."""
    job = create_job(database, sizes, labelled=True, max_rejected=max_rejected)
    first, second, *_ = batches.of_job(database, job.id)
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease, labels=[None] * sizes[0]))
    return jobs.get(database, job.id), second


def test_a_job_that_refuses_more_than_it_may_is_paused_and_says_why(database: Database) -> None:
    job, second = paused_job(database)
    assert job.state is JobState.PAUSED
    assert job.error == "2 of its 10 images are rejected or quarantined, more than the 10.00% it may bear"
    assert not job.state.ended
    claimed = batches.claim(database, second.id, worker="w1", lease_time=60, max_attempts=3)
    assert claimed is JobState.PAUSED
    assert batches.to_send_again(database, set(), resend_after=-1.0) == []
    with database.read() as connection:
        (state,) = connection.exec_driver_sql("SELECT state FROM job_summary").scalars()
    assert state == "paused"


@pytest.mark.parametrize("max_rejected", [None, 0.2, 1.0])
def test_a_job_within_its_budget_goes_on(database: Database, max_rejected: float) -> None:
    job, second = paused_job(database, max_rejected=max_rejected)
    assert job.state is JobState.RUNNING
    take(database, second)


def test_a_resumed_job_goes_on_without_a_budget(database: Database) -> None:
    job, second = paused_job(database)
    resumed = steering.resume(database, job)
    assert (resumed.state, resumed.error, resumed.max_rejected) == (JobState.RUNNING, None, None)
    assert {batch.id for batch in batches.to_send_again(database, set(), resend_after=-1.0)} >= {second.id}
    lease = take(database, second)
    batches.finish(database, lease, outcome(lease, labels=[None] * 3))
    assert jobs.get(database, job.id).state is JobState.RUNNING


def test_a_resumed_job_pauses_again_once_it_has_spent_its_new_budget(database: Database) -> None:
    job, second = paused_job(database)
    assert steering.resume(database, job, max_rejected=0.3).max_rejected == 0.3
    lease = take(database, second)
    batches.finish(database, lease, outcome(lease, labels=[None, None, 2]))
    assert jobs.get(database, job.id).state is JobState.PAUSED


def test_only_a_paused_job_is_resumed(database: Database) -> None:
    job = create_job(database)
    with pytest.raises(IllegalTransition, match="is queued, not paused"):
        steering.resume(database, job)


def test_a_paused_job_can_be_cancelled_and_retried(database: Database) -> None:
    job, second = paused_job(database)
    cancelled = steering.cancel(database, job)
    assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, "cancelled by hand")
    assert steering.retry(database, cancelled).state is JobState.QUEUED
    take(database, second)


def test_a_batch_that_is_under_way_when_its_job_pauses_is_recorded_and_may_end_it(database: Database) -> None:
    job = create_job(database, [2, 3], max_rejected=0.0)
    first, second = (take(database, batch) for batch in batches.of_job(database, job.id))
    batches.finish(database, first, outcome(first, labels=[None, None]))
    assert jobs.get(database, job.id).state is JobState.PAUSED
    batches.finish(database, second, outcome(second))
    ended = jobs.get(database, job.id)
    assert (ended.state, ended.error, ended.accounts) == (JobState.DONE, None, Accounts(5, 3, 2, 0))


def test_images_that_are_quarantined_spend_the_budget_too(database: Database) -> None:
    job = create_job(database, [2, 3], max_rejected=0.1)
    exhaust(database, batches.of_job(database, job.id)[0])
    batches.quarantine_exhausted(database, MAX_ATTEMPTS)
    assert jobs.get(database, job.id).state is JobState.PAUSED


def test_an_image_that_is_quarantined_alone_costs_one_row_and_a_retry_scores_its_batch_anew(database: Database) -> None:
    job = create_job(database, [3, 2], labelled=True)
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    found = outcome(lease, labels=[0, None, 2])
    (refused,) = found.rejections
    quarantined = rejection(lease, refused.position, Reason.QUARANTINED)
    batches.finish(database, lease, found.__class__(found.predictions, [quarantined], found.confusion, found.timings))
    other = take(database, second)
    batches.finish(database, other, outcome(other))
    assert jobs.get(database, job.id).accounts == Accounts(5, scored=4, rejected=0, quarantined=1)
    retried = steering.retry(database, jobs.get(database, job.id))
    assert retried.accounts == Accounts(5, scored=2, rejected=0, quarantined=0)
    assert {row["batch_id"] for row in rows(database, tables.predictions)} == {second.id}
    assert batches.claim(database, second.id, worker="w1", lease_time=60, max_attempts=3) is BatchState.DONE
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease))
    assert jobs.get(database, job.id).accounts == Accounts(5, scored=5, rejected=0, quarantined=0)
