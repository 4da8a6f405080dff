"""A batch is recorded in one transaction by the holder of its lease, and the last one closes the job."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core import tables
from core.database import Database
from core.errors import StaleLease
from core.ledger import batches, endings, jobs
from core.vocabulary import Accounts, Cell, JobState, Outcome
from tests.core.examples import (
    RUN_OUT,
    batch_row,
    create_batch,
    create_job,
    digest,
    new_job,
    outcome,
    prediction,
    register_model,
    rejection,
    rows,
    score,
    take,
)
from tests.core.racing import at_once, several_databases

WRITTEN = (tables.predictions, tables.rejections, tables.confusion)


def test_finishing_writes_predictions_rejections_and_the_matrix(database: Database) -> None:
    batch = create_batch(database, 3, labelled=True)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[0, 7, None]))
    assert rows(database, tables.predictions) == [
        {
            "batch_id": batch.id,
            "position": position,
            "path": f"1/{position}.png",
            "sha256": digest(f"1/{position}.png"),
            "label": label,
            "confidence": 0.75,
            "margin": 0.5,
            "verdict": "uncertain",
            "true_label": position,
            "string": None,
            "digits": None,
        }
        for position, label in ((0, 0), (1, 7))
    ]
    rejected = {"batch_id": batch.id, "position": 2, "path": "1/2.png", "reason": "truncated", "true_label": 2}
    assert rows(database, tables.rejections) == [{**rejected, "message": "1/2.png ends early"}]
    cells = {(row["actual"], row["predicted"]): row["count"] for row in rows(database, tables.confusion)}
    assert cells == {(0, 0): 1, (1, 7): 1, (2, None): 1}


def test_what_was_escalated_is_summed_over_the_batches_of_a_job(database: Database) -> None:
    job = create_job(database, [2, 2])
    for batch, escalated in zip(batches.of_job(database, job.id), (2, 1), strict=True):
        lease = take(database, batch)
        batches.finish(database, lease, replace(outcome(lease), escalated=escalated))
    assert jobs.get(database, job.id).escalated == 3
    with database.read() as connection:
        assert connection.execute(text("SELECT escalated FROM job_summary")).scalar_one() == 3


def test_finishing_closes_the_batch(database: Database) -> None:
    batch = create_batch(database, 4, labelled=True)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[0, 1, 5, None]))
    row = batch_row(database, batch)
    assert (row["state"], row["lease_token"], row["lease_until"]) == ("done", None, None)
    assert {name: row[name] for name in ("scored", "rejected", "quarantined", "labelled", "correct")} == {
        "scored": 3,
        "rejected": 1,
        "quarantined": 0,
        "labelled": 3,
        "correct": 2,
    }
    assert {**row["timings"], "wait": 0, "record": 0} == {"read": 0.25, "predict": 0.5, "wait": 0, "record": 0}
    assert row["timings"]["record"] > 0
    assert row["timings"]["wait"] >= 0
    assert row["finished_at"] >= row["started_at"]


def test_a_stale_lease_writes_nothing(database: Database) -> None:
    batch = create_batch(database, labelled=True)
    old = take(database, batch, lease_time=RUN_OUT)
    take(database, batch, worker="w2")
    before = batch_row(database, batch)
    with pytest.raises(StaleLease, match="nothing was written"):
        batches.finish(database, old, outcome(old, labels=[0, None, 2]))
    assert [rows(database, table) for table in WRITTEN] == [[], [], []]
    assert batch_row(database, batch) == before
    assert jobs.get(database, batch.job_id).state is JobState.RUNNING


def test_a_worker_late_but_not_replaced_may_still_finish(database: Database) -> None:
    lease = take(database, create_batch(database), lease_time=RUN_OUT)
    batches.finish(database, lease, outcome(lease))
    assert jobs.get(database, lease.batch.job_id).state is JobState.DONE


def test_finishing_twice_records_once(database: Database) -> None:
    lease = take(database, create_batch(database, labelled=True))
    batches.finish(database, lease, outcome(lease))
    before = [rows(database, table) for table in WRITTEN]
    with pytest.raises(StaleLease):
        batches.finish(database, lease, outcome(lease))
    assert [rows(database, table) for table in WRITTEN] == before


def test_an_outcome_that_fails_midway_leaves_no_row_behind(database: Database) -> None:
    batch = create_batch(database, 2, labelled=True)
    lease = take(database, batch)
    twice = [Cell(0, None, 1), Cell(0, None, 1)]
    broken = Outcome([prediction(lease, 0, 0)], [rejection(lease, 1)], twice)
    with pytest.raises(IntegrityError):
        batches.finish(database, lease, broken)
    assert [rows(database, table) for table in WRITTEN] == [[], [], []]
    assert batch_row(database, batch)["state"] == "leased"
    batches.finish(database, lease, outcome(lease))
    assert jobs.get(database, batch.job_id).state is JobState.DONE


def test_the_last_batch_closes_the_job(database: Database) -> None:
    job = create_job(database, [2, 3, 1])
    leases = [take(database, batch) for batch in batches.of_job(database, job.id)]
    for lease in leases[:-1]:
        batches.finish(database, lease, outcome(lease))
        assert jobs.get(database, job.id).state is JobState.RUNNING
    batches.finish(database, leases[-1], outcome(leases[-1]))
    closed = jobs.get(database, job.id)
    assert (closed.state, closed.error) == (JobState.DONE, None)
    assert closed.finished_at is not None


def test_the_accounts_balance_at_every_step(database: Database) -> None:
    job = create_job(database, [4, 2], labelled=True)
    assert job.accounts == Accounts(found=6, scored=0, rejected=0, quarantined=0)
    assert job.accounts.open == 6
    first, second = (take(database, batch) for batch in batches.of_job(database, job.id))
    batches.finish(database, first, outcome(first, labels=[0, None, 2, 9]))
    halfway = jobs.get(database, job.id)
    assert halfway.accounts == Accounts(found=6, scored=3, rejected=1, quarantined=0)
    assert (halfway.accounts.open, halfway.accounts.balanced) == (2, False)
    batches.finish(database, second, outcome(second, labels=[None, 1]))
    closed = jobs.get(database, job.id)
    assert closed.accounts == Accounts(found=6, scored=4, rejected=2, quarantined=0)
    assert closed.accounts.balanced
    assert (closed.labelled, closed.correct, closed.accuracy) == (4, 3, 0.75)


def test_a_job_of_which_no_image_was_scored_has_failed(database: Database) -> None:
    job = create_job(database, [2, 1])
    score(database, job, labels=[[None, None], [None]])
    failed = jobs.get(database, job.id)
    assert failed.state is JobState.FAILED
    assert failed.error == "not one of its images could be scored"
    assert failed.accounts == Accounts(found=3, scored=0, rejected=3, quarantined=0)


def test_one_scored_image_makes_a_job_done(database: Database) -> None:
    job = create_job(database, [2, 1])
    score(database, job, labels=[[None, None], [4]])
    assert jobs.get(database, job.id).state is JobState.DONE


def test_a_job_does_not_close_while_an_image_is_unaccounted_for(database: Database) -> None:
    job = create_job(database, [2])
    lease = take(database, batches.of_job(database, job.id)[0])
    batches.finish(database, lease, Outcome([prediction(lease, 0, 0)], [], []))
    assert jobs.get(database, job.id).state is JobState.RUNNING
    assert endings.close_all_over(database) == 0


def test_two_last_batches_that_finish_at_once_close_the_job_once(postgres: Database, postgres_url: str) -> None:
    _count_endings(postgres)
    register_model(postgres)
    created = [jobs.create(postgres, new_job([2, 3])) for _ in range(15)]
    with several_databases(postgres_url, 2) as (one, other):
        for job in created:
            first, second = (take(postgres, batch) for batch in batches.of_job(postgres, job.id))
            finish_first = partial(batches.finish, one, first, outcome(first))
            finish_second = partial(batches.finish, other, second, outcome(second))
            assert at_once([finish_first, finish_second]) == [None, None]
            assert jobs.get(postgres, job.id).state is JobState.DONE
    with postgres.read() as connection:
        endings = connection.execute(text("SELECT job_id, count(*) FROM endings GROUP BY job_id ORDER BY job_id"))
        assert [tuple(row) for row in endings] == [(job.id, 1) for job in created]


def _count_endings(database: Database) -> None:
    """Let PostgreSQL itself note each time that a job ends."""
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE endings (job_id integer)"))
        connection.execute(
            text(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN INSERT INTO endings VALUES (NEW.id); RETURN NEW; END'"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER ending AFTER UPDATE OF finished_at ON jobs FOR EACH ROW "
                "WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION note()"
            )
        )
