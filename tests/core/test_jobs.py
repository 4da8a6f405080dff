"""Jobs: created whole and once, found again, cancelled, retried, filed away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import update

from core import tables
from core.database import Database
from core.errors import IllegalTransition, JobNotFound, ModelNotFound, StaleLease
from core.ledger import batches, endings, jobs, models, results, steering, sweeps
from core.vocabulary import Accounts, BatchState, JobState, Labels, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import (
    LEASE_TIME,
    MAX_ATTEMPTS,
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


def test_a_job_is_created_with_all_its_batches(database: Database) -> None:
    job = create_job(database, [2, 2, 1], name="monday")
    assert (job.name, job.state, job.batches, job.model) == ("monday", JobState.QUEUED, 3, "small")
    assert job.accounts == Accounts(found=5, scored=0, rejected=0, quarantined=0)
    created = batches.of_job(database, job.id)
    assert [(batch.sequence, batch.of, batch.size, batch.job_name) for batch in created] == [
        (1, 3, 2, "monday"),
        (2, 3, 2, "monday"),
        (3, 3, 1, "monday"),
    ]
    assert {row["attempts"] for row in rows(database, tables.batches)} == {0}
    assert jobs.get(database, job.id) == job


def test_a_job_of_many_batches_keeps_their_order(database: Database) -> None:
    job = create_job(database, [1] * 1203)
    assert [batch.sequence for batch in batches.of_job(database, job.id)] == list(range(1, 1204))
    assert job.accounts.found == 1203


def test_a_job_remembers_who_asked_for_it_and_how(database: Database) -> None:
    register_model(database)
    asked = NewJob("s", "file:///s", [Manifest(["a.png"])], QueueName.BULK, Trigger.INBOX, Labels.CSV, True, 0.5, "s-1")
    job = jobs.create(database, asked)
    assert (job.queue, job.triggered_by, job.claim, job.source) == (QueueName.BULK, Trigger.INBOX, "s-1", "file:///s")
    assert rows(database, tables.jobs)[0]["options"] == {"labels": "csv", "split": True, "max_rejected": 0.5}
    assert batches.of_job(database, job.id)[0].queue is QueueName.BULK


def test_a_job_that_cannot_be_written_whole_is_not_written_at_all(database: Database) -> None:
    register_model(database)
    broken = Manifest(["a.png"], [object()])  # type: ignore[list-item]
    with pytest.raises(Exception, match="not JSON serializable"):
        jobs.create(database, replace(new_job([1]), manifests=[Manifest(["b.png"]), broken]))
    assert (rows(database, tables.jobs), rows(database, tables.batches)) == ([], [])


def test_without_a_model_in_production_no_job_is_created(database: Database) -> None:
    with pytest.raises(ModelNotFound, match="No model is in production") as caught:
        jobs.create(database, new_job())
    assert "digitline migrate" in caught.value.mend
    assert rows(database, tables.jobs) == []


def test_a_job_stays_with_the_model_it_started_with(database: Database) -> None:
    job = create_job(database, [1])
    models.promote(database, register_model(database, "large"))
    assert jobs.get(database, job.id).model == "small"
    assert jobs.create(database, new_job()).model == "large"


def test_a_claim_handed_over_twice_has_one_job(database: Database) -> None:
    job = create_job(database, [2, 1], claim="drop-1")
    assert jobs.create(database, new_job([3], claim="drop-1")) == job
    assert len(rows(database, tables.batches)) == 2
    assert jobs.of_claim(database, "drop-1") == job
    assert jobs.of_claim(database, "drop-2") is None


def test_a_claim_handed_over_by_several_at_once_has_one_job(database: Database, database_url: str) -> None:
    register_model(database)
    with several_databases(database_url, 4) as many:
        answers = at_once([partial(jobs.create, mine, new_job([1, 1], claim="drop-1")) for mine in many])
    assert len({job.id for job in answers}) == 1
    assert len(rows(database, tables.batches)) == 2


def test_the_claims_that_have_a_job_are_told_from_the_others(database: Database) -> None:
    create_job(database, claim="drop-1")
    create_job(database, claim="na\udcefve\uf7ef")
    asked = ["drop-1", "drop-2", "na\udcefve\uf7ef"]
    assert jobs.claims_with_a_job(database, asked) == {"drop-1", "na\udcefve\uf7ef"}


def test_a_job_is_found_by_number_and_by_name(database: Database) -> None:
    old, other, new = (create_job(database, name=name) for name in ("scans", "other", "scans"))
    assert jobs.find(database, str(other.id)) == other
    assert jobs.find(database, "scans") == new
    assert jobs.find(database, str(old.id)) == old


@pytest.mark.parametrize("reference", ["nothing", "4711", "99999999999999999999", "²", "-1", "", "' OR 1=1 --"])
def test_what_is_no_job_is_not_found(database: Database, reference: str) -> None:
    create_job(database)
    with pytest.raises(JobNotFound, match="There is no job"):
        jobs.find(database, reference)


def test_a_number_that_no_job_has_is_not_found(database: Database) -> None:
    with pytest.raises(JobNotFound, match="There is no job 7"):
        jobs.get(database, 7)


def test_the_newest_jobs_come_first(database: Database) -> None:
    created = [create_job(database).id for _ in range(4)]
    assert [job.id for job in jobs.newest(database, 3)] == created[:0:-1]


def test_cancelling_stops_what_is_open_and_keeps_what_is_scored(database: Database) -> None:
    job = create_job(database, [2, 3, 4])
    done, leased, queued = batches.of_job(database, job.id)
    lease = take(database, done)
    batches.finish(database, lease, outcome(lease))
    running = take(database, leased)
    cancelled = steering.cancel(database, job)
    assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, "cancelled by hand")
    assert (cancelled.accounts.scored, cancelled.accounts.open) == (2, 7)
    assert [batch_row(database, batch)["state"] for batch in (done, leased, queued)] == [
        "done",
        "cancelled",
        "cancelled",
    ]
    with pytest.raises(StaleLease):
        batches.finish(database, running, outcome(running))
    assert len(rows(database, tables.predictions)) == 2


def test_nothing_of_a_cancelled_job_is_claimed_sent_or_given_up(database: Database) -> None:
    batch = create_batch(database)
    steering.cancel(database, jobs.get(database, batch.job_id))
    answer = batches.claim(database, batch.id, worker="w", lease_time=LEASE_TIME, max_attempts=MAX_ATTEMPTS)
    assert answer is BatchState.CANCELLED
    assert send(database, resend_after=-60.0) == []
    assert sweeps.quarantine_exhausted(database, max_attempts=0) == []
    assert endings.close_all_over(database) == 0


@pytest.mark.parametrize("end", [score, steering.cancel])
def test_a_job_that_has_ended_cannot_be_cancelled(database: Database, end: object) -> None:
    job = create_job(database)
    end(database, job)  # type: ignore[operator]
    before = jobs.get(database, job.id)
    with pytest.raises(IllegalTransition, match="has ended already"):
        steering.cancel(database, job)
    assert jobs.get(database, job.id) == before


def test_a_cancelled_job_can_be_retried_to_its_end(database: Database) -> None:
    job = create_job(database, [2, 3])
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease))
    retried = steering.retry(database, steering.cancel(database, job))
    assert (retried.state, retried.error, retried.finished_at) == (JobState.QUEUED, None, None)
    assert batch_row(database, first)["state"] == "done"
    lease = take(database, second)
    assert lease.attempt == 1
    batches.finish(database, lease, outcome(lease))
    done = jobs.get(database, job.id)
    assert (done.state, done.accounts) == (JobState.DONE, Accounts(5, scored=5, rejected=0, quarantined=0))


def test_a_retried_quarantine_leaves_no_row_behind(database: Database) -> None:
    batch = create_batch(database, 3, labelled=True)
    exhaust(database, batch)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    retried = steering.retry(database, jobs.get(database, batch.job_id))
    assert (rows(database, tables.rejections), rows(database, tables.confusion)) == ([], [])
    assert (retried.accounts.quarantined, retried.accounts.open) == (0, 3)
    score(database, retried)
    done = jobs.get(database, batch.job_id)
    assert (done.state, done.accounts) == (JobState.DONE, Accounts(3, scored=3, rejected=0, quarantined=0))
    assert all(cell.actual == cell.predicted for cell in results.job_confusion(database, done.id))


def test_a_job_without_anything_open_cannot_be_retried(database: Database) -> None:
    job = create_job(database)
    score(database, job)
    with pytest.raises(IllegalTransition, match="nothing to retry"):
        steering.retry(database, job)
    assert jobs.get(database, job.id).state is JobState.DONE


def test_an_ended_drop_waits_to_be_filed_and_is_filed_once(database: Database) -> None:
    dropped, submitted = create_job(database, [1], claim="drop-1"), create_job(database, [1])
    running = create_job(database, [1], claim="drop-2")
    for job in (dropped, submitted):
        score(database, job)
    (waiting,) = jobs.unfiled(database)
    assert waiting.id == dropped.id
    jobs.mark_filed(database, waiting, "file:///done/drop-1")
    assert jobs.unfiled(database) == []
    assert jobs.get(database, dropped.id).source == "file:///done/drop-1"
    assert jobs.get(database, running.id).state is JobState.QUEUED


def test_a_drop_that_ends_anew_after_a_retry_is_filed_again(database: Database) -> None:
    job = create_job(database, [1], claim="drop-1")
    jobs.mark_filed(database, steering.cancel(database, job), "file:///failed/drop-1")
    retried = steering.retry(database, job)
    assert jobs.unfiled(database) == []
    score(database, retried)
    assert [waiting.id for waiting in jobs.unfiled(database)] == [job.id]


def test_a_retried_drop_is_filed_again_also_where_the_databases_clock_was_set_back(database: Database) -> None:
    job = create_job(database, [1], claim="drop-1")
    jobs.mark_filed(database, steering.cancel(database, job), "file:///failed/drop-1")
    with database.begin() as connection:
        connection.execute(update(tables.jobs).values(filed_at=datetime.now(UTC) + timedelta(hours=1)))
    score(database, steering.retry(database, job))
    assert [waiting.id for waiting in jobs.unfiled(database)] == [job.id]


def test_a_number_is_an_id_before_it_is_a_name(database: Database) -> None:
    first, second = create_batch(database), create_batch(database, name="1")
    assert jobs.find(database, "1").id == first.job_id == 1
    assert jobs.find(database, str(second.job_id)).name == "1"


def test_a_job_that_has_not_ended_is_not_retried(database: Database) -> None:
    batch = create_batch(database)
    with pytest.raises(IllegalTransition, match="has not ended"):
        steering.retry(database, jobs.get(database, batch.job_id))
    assert jobs.get(database, batch.job_id).state is JobState.QUEUED
