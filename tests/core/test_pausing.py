"""A job that has spent its failure budget pauses, says why, and goes on or ends as a person decides."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core import tables
from core.database import Database
from core.errors import IllegalTransition
from core.ledger import batches, jobs, pauses, steering, sweeps
from core.vocabulary import Accounts, Batch, BatchState, Job, JobState, Reason
from tests.core.examples import MAX_ATTEMPTS, create_job, exhaust, new_job, outcome, rejection, rows, send, take


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
    assert send(database, resend_after=-1.0) == []
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
    assert second in send(database, resend_after=-1.0)
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
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
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


def test_a_job_that_a_person_pauses_says_who_and_why_and_nothing_more_of_it_is_claimed_or_sent(
    database: Database,
) -> None:
    job = create_job(database, [2, 3])
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    paused = steering.pause(database, job, by="ada", reason="new disks")
    assert (paused.state, paused.error) == (JobState.PAUSED, "paused by ada: new disks")
    assert batches.claim(database, second.id, worker="w1", lease_time=60, max_attempts=3) is JobState.PAUSED
    assert send(database) == []
    batches.finish(database, lease, outcome(lease))
    assert steering.resume(database, paused).error is None
    assert send(database) == [second]
    take(database, second)


def test_a_job_that_a_person_pauses_keeps_its_budget_and_may_still_spend_it(database: Database) -> None:
    job = create_job(database, [2, 3, 5], max_rejected=0.1)
    first, second, _ = (take(database, batch) for batch in batches.of_job(database, job.id))
    paused = steering.pause(database, job, by="ada")
    assert paused.error == "paused by ada"
    batches.finish(database, first, outcome(first, labels=[None, None]))
    assert jobs.get(database, job.id).error == "paused by ada"
    resumed = steering.resume(database, jobs.get(database, job.id))
    assert (resumed.state, resumed.max_rejected) == (JobState.RUNNING, 0.1)
    batches.finish(database, second, outcome(second))
    assert (
        jobs.get(database, job.id).error
        == "2 of its 10 images are rejected or quarantined, more than the 10.00% it may bear"
    )
    assert steering.resume(database, jobs.get(database, job.id)).max_rejected is None


def test_a_budget_that_is_named_on_the_way_is_the_new_one_whoever_paused_the_job(database: Database) -> None:
    job = steering.pause(database, create_job(database, max_rejected=0.1), by="ada")
    assert steering.resume(database, job, max_rejected=0.5).max_rejected == 0.5


def test_a_job_that_a_person_paused_may_end_by_what_was_under_way(database: Database) -> None:
    job = create_job(database, [2])
    lease = take(database, batches.of_job(database, job.id)[0])
    steering.pause(database, job, by="ada")
    batches.finish(database, lease, outcome(lease))
    (row,) = rows(database, tables.jobs)
    assert (row["state"], row["paused_at"], row["paused_by"], row["error"]) == ("done", None, None, None)


def test_only_a_job_that_runs_is_paused(database: Database) -> None:
    job = steering.pause(database, create_job(database), by="ada")
    with pytest.raises(IllegalTransition, match="Job 1 is paused already"):
        steering.pause(database, job, by="bob")
    cancelled = steering.cancel(database, job)
    assert cancelled.error == "cancelled by hand"
    with pytest.raises(IllegalTransition, match="Job 1 is cancelled already"):
        steering.pause(database, cancelled, by="bob")
    assert steering.retry(database, cancelled).state is JobState.QUEUED


def test_while_the_line_is_paused_nothing_is_claimed_or_sent_and_what_is_under_way_ends(database: Database) -> None:
    job = create_job(database, [2, 3])
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    pause = pauses.pause_line(database, by="ada", reason="new disks")
    assert (pause.by, pause.reason, str(pause)) == ("ada", "new disks", "paused by ada: new disks")
    assert pauses.of_line(database) == pause
    later = jobs.create(database, new_job([1]))
    (of_later,) = batches.of_job(database, later.id)
    for batch in (second, of_later):
        assert batches.claim(database, batch.id, worker="w1", lease_time=60, max_attempts=3) is JobState.PAUSED
    assert send(database, resend_after=-1.0) == []
    batches.finish(database, lease, outcome(lease))
    assert jobs.get(database, job.id).accounts.scored == 2
    assert pauses.resume_line(database) == pause
    assert pauses.of_line(database) is None
    assert send(database) == [second, of_later]
    take(database, second)


def test_a_line_is_paused_once_and_resumed_once(database: Database) -> None:
    pauses.pause_line(database, by="ada")
    with pytest.raises(IllegalTransition, match="The line is paused by ada already"):
        pauses.pause_line(database, by="bob")
    pauses.resume_line(database)
    with pytest.raises(IllegalTransition, match="The line is not paused"):
        pauses.resume_line(database)


def test_a_job_that_was_paused_by_itself_stays_so_when_the_line_goes_on(database: Database) -> None:
    job = steering.pause(database, create_job(database), by="ada")
    pauses.pause_line(database, by="ada")
    pauses.resume_line(database)
    assert jobs.get(database, job.id).state is JobState.PAUSED
    assert send(database) == []
