"""An audit finds counts that are not those of the rows, and batches that nobody looks after."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from core import tables
from core.database import Database
from core.ledger import audit, batches, endings, jobs, pauses, sweeps
from core.vocabulary import QueueName, Reason
from tests.core.examples import RUN_OUT, create_batch, create_job, outcome, rejection, score, send, take


def scored_job(database: Database) -> int:
    """A job of two batches: one scored with a rejected and a quarantined image, one given up."""
    job = create_job(database, [4, 2], labelled=True)
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    found = outcome(lease, labels=[0, "12", None, None])
    refused = [rejection(lease, 2), rejection(lease, 3, Reason.QUARANTINED)]
    batches.finish(database, lease, type(found)(found.predictions, refused, found.confusion, found.timings))
    for _ in range(3):
        take(database, second, lease_time=RUN_OUT)
    sweeps.quarantine_exhausted(database, 3)
    return job.id


def test_a_ledger_that_only_the_line_wrote_into_is_in_order(database: Database) -> None:
    scored_job(database)
    create_job(database, [2])
    assert audit.miscounted(database) == []
    assert jobs.ended_unbalanced(database) == []


@pytest.mark.parametrize("table", [tables.predictions, tables.rejections, tables.confusion])
def test_rows_that_are_gone_are_missed(database: Database, table: object) -> None:
    job_id, other = scored_job(database), create_job(database, [1])
    score(database, other)
    batch = batches.of_job(database, job_id)[0]
    with database.begin() as connection:
        connection.execute(delete(table).where(table.c.batch_id == batch.id))
    assert audit.miscounted(database) == [job_id]


def test_a_batch_is_left_alone_once_nobody_has_looked_after_it_for_long(database: Database) -> None:
    queued, leased = create_batch(database), create_batch(database)
    working = create_batch(database)
    send(database)
    take(database, leased, lease_time=-100.0)
    take(database, working)
    assert audit.left_alone(database, 60.0, set()) == {leased.job_id: 1}
    assert audit.left_alone(database, -1.0, set()) == {queued.job_id: 1, leased.job_id: 1}
    assert audit.left_alone(database, -1.0, {queued.id}) == {leased.job_id: 1}
    sweeps.take_back_overdue(database, 3)
    assert audit.left_alone(database, 60.0, set()) == {}


def test_a_job_that_is_paused_or_has_trouble_is_named(database: Database) -> None:
    job = create_job(database, [1, 1], max_rejected=0.0)
    first, second = batches.of_job(database, job.id)
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease, labels=[None]))
    other = create_batch(database)
    batches.release(database, take(database, other), "There is no folder /scans on ada.", blameless=True)
    assert audit.paused(database) == [job.id]
    assert audit.troubled(database) == {other.job_id: "There is no folder /scans on ada."}
    send(database)
    assert audit.left_alone(database, -1.0, set()) == {other.job_id: 1}
    assert endings.close_all_over(database) == 0
    assert second.job_id == job.id


def test_what_waits_for_its_turn_or_for_a_person_is_not_left_alone(database: Database) -> None:
    job = create_job(database, [1, 1])
    assert audit.left_alone(database, -1.0, set()) == {}
    assert audit.left_alone(database, -1.0, set(), [QueueName.BULK]) == {}
    assert audit.left_alone(database, -1.0, set(), [QueueName.EXPRESS]) == {job.id: 2}
    pauses.pause_line(database, by="ada")
    assert audit.left_alone(database, -1.0, set(), [QueueName.EXPRESS]) == {}
