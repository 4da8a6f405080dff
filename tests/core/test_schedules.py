"""Schedules in the ledger: of several runs at once one is recorded, with its job, and what was submitted is remembered."""

from __future__ import annotations

from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import update

from core import clock, tables
from core.database import Database
from core.errors import DigitlineError, ModelNotFound, ScheduleError, ScheduleNotFound, StaleSchedule
from core.ledger import batches, jobs, runs, schedules, steering
from core.ledger.runs import Run
from core.ledger.schedules import Plan, Schedule
from core.vocabulary import Job, Labels, Missed, QueueName
from tests.core.examples import digest, new_job, outcome, register_model, rows, score, take
from tests.core.racing import at_once, several_databases

LATER = datetime(2100, 1, 1, tzinfo=UTC)
PLAN = Plan("nightly", "file:///scans", "0 2 * * *", "Europe/Berlin")


def nightly(database: Database) -> Schedule:
    """A schedule in a ledger that has a model."""
    register_model(database)
    return schedules.add(database, PLAN, LATER)


def growing(*sizes: int, start: int = 1) -> Run:
    """A run that found batches of these sizes; their stamps count up from `start`."""
    new = replace(new_job(sizes), schedule="nightly")
    return Run(LATER, sum(sizes), new, [array("Q", range(start, start + size)) for size in sizes])


def recorded(database: Database, run: Run) -> Job:
    job = runs.record(database, schedules.find(database, "nightly"), run)
    assert job is not None
    return job


def test_a_schedule_is_read_as_it_was_written(database: Database) -> None:
    plan = Plan("a.b-c", "file:///%FF", "*/5 * * * *", "UTC", Missed.SKIP, Labels.CSV, QueueName.BULK, True, 0.25, 7)
    written = schedules.add(database, plan, LATER)
    assert schedules.every(database) == [written]
    assert (written.plan, written.next_at, written.ran_at, written.found) == (plan, LATER, None, None)


def test_a_schedule_of_an_older_version_has_no_priority(database: Database) -> None:
    schedules.add(database, replace(PLAN, priority=5), LATER)
    options = {"labels": "auto", "queue": None, "split": None, "max_rejected": None}
    with database.begin() as connection:
        connection.execute(update(tables.schedules).values(options=options))
    assert schedules.find(database, "nightly").plan == PLAN


def test_schedules_come_by_name(database: Database) -> None:
    for name in ("b", "c", "a"):
        schedules.add(database, replace(PLAN, name=name), LATER)
    assert [schedule.plan.name for schedule in schedules.every(database)] == ["a", "b", "c"]


def test_a_name_is_taken_once(database: Database) -> None:
    schedules.add(database, PLAN, LATER)
    with pytest.raises(ScheduleError, match="There is a schedule 'nightly' already") as caught:
        schedules.add(database, replace(PLAN, cron="0 3 * * *"), LATER)
    assert "--replace" in caught.value.mend
    assert schedules.find(database, "nightly").plan == PLAN


def test_a_schedule_that_is_not_there_is_named(database: Database) -> None:
    for act in (schedules.find, schedules.remove):
        with pytest.raises(ScheduleNotFound, match="There is no schedule 'nightly'"):
            act(database, "nightly")


def test_what_is_due_is_due_by_the_databases_clock(database: Database) -> None:
    for name, seconds in (("over", -1.0), ("coming", 3600.0)):
        schedules.add(database, replace(PLAN, name=name), LATER)
        with database.begin() as connection:
            moved = update(tables.schedules).where(tables.schedules.c.name == name)
            connection.execute(moved.values(next_at=clock.seconds_from_now(seconds)))
    assert [schedule.plan.name for schedule in schedules.due(database)] == ["over"]
    assert abs(clock.read(database) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_run_is_recorded_with_its_job(database: Database) -> None:
    nightly(database)
    job = recorded(database, growing(2, 1))
    after = schedules.find(database, "nightly")
    assert (after.found, after.submitted, after.job_id, after.error) == (3, 3, job.id, None)
    assert (after.next_at, after.ran_at is not None) == (LATER, True)
    assert (job.schedule, job.accounts.found) == ("nightly", 3)
    assert [(one.open, list(one.paths), list(one.stamps)) for one in runs.submitted(database, after)] == [
        (True, ["1/0.png", "1/1.png"], [1, 2]),
        (True, ["2/0.png"], [1]),
    ]


def test_a_run_that_finds_nothing_new_makes_no_job_and_says_what_it_found(database: Database) -> None:
    schedule = nightly(database)
    assert runs.record(database, schedule, Run(LATER, found=12)) is None
    after = schedules.find(database, "nightly")
    assert (after.found, after.submitted, after.job_id) == (12, 0, None)
    assert jobs.newest(database, 10) == []


def test_a_run_that_failed_says_why_until_one_succeeds(database: Database) -> None:
    runs.record(database, nightly(database), Run(LATER, error="There is no folder /scans."))
    failed = schedules.find(database, "nightly")
    assert (failed.error, failed.found, failed.submitted) == ("There is no folder /scans.", None, None)
    runs.record(database, failed, Run(LATER, found=0))
    assert schedules.find(database, "nightly").error is None


def test_what_was_read_before_another_run_is_not_recorded(database: Database) -> None:
    schedule = nightly(database)
    recorded(database, growing(1))
    for late in (growing(1), Run(LATER, error="too late")):
        with pytest.raises(StaleSchedule, match="'nightly' was run, changed or removed"):
            runs.record(database, schedule, late)
    with pytest.raises(StaleSchedule):
        runs.skip(database, schedule, LATER)
    assert (len(jobs.newest(database, 10)), len(rows(database, tables.stamps))) == (1, 1)


def test_of_runs_at_once_one_is_recorded(database: Database, database_url: str) -> None:
    nightly(database)

    def run(mine: Database, schedule: Schedule) -> str:
        try:
            runs.record(mine, schedule, growing(3, 2))
        except StaleSchedule:
            return "stale"
        return "recorded"

    for number in range(1, 6):
        with several_databases(database_url, 4) as many:
            schedule = schedules.find(database, "nightly")
            answers = at_once([partial(run, mine, schedule) for mine in many])
        assert sorted(answers) == ["recorded", "stale", "stale", "stale"]
        assert len(jobs.newest(database, 100)) == number


def test_a_run_and_a_removal_at_once_leave_nothing_behind(database: Database, database_url: str) -> None:
    register_model(database)

    def run(mine: Database, schedule: Schedule) -> None:
        try:
            runs.record(mine, schedule, growing(2))
        except DigitlineError as error:
            assert isinstance(error, StaleSchedule)  # noqa: PT017

    for _ in range(5):
        schedule = schedules.add(database, PLAN, LATER)
        with several_databases(database_url, 2) as (first, second):
            at_once([partial(run, first, schedule), partial(schedules.remove, second, "nightly")])
        assert (schedules.every(database), rows(database, tables.stamps)) == ([], [])


def test_a_run_without_a_model_in_production_leaves_the_schedule_due(database: Database) -> None:
    schedule = schedules.add(database, PLAN, LATER)
    with pytest.raises(ModelNotFound):
        runs.record(database, schedule, growing(1))
    assert schedules.find(database, "nightly") == schedule


def test_a_missed_time_is_noted_and_is_no_run(database: Database) -> None:
    schedule = nightly(database)
    runs.skip(database, schedule, LATER + timedelta(days=1))
    after = schedules.find(database, "nightly")
    assert (after.missed_at, after.next_at, after.ran_at) == (LATER, LATER + timedelta(days=1), None)


def test_a_batch_is_open_until_it_is_scored(database: Database) -> None:
    nightly(database)
    job = recorded(database, growing(2))
    score(database, job)
    (batch,) = runs.submitted(database, schedules.find(database, "nightly"))
    assert not batch.open
    assert runs.hashes(database, batch.batch_id, [1]) == {1: digest("1/1.png")}


def test_a_rejected_image_has_no_hash(database: Database) -> None:
    nightly(database)
    (batch,) = batches.of_job(database, recorded(database, growing(2)).id)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[None, 7]))
    assert list(runs.hashes(database, batch.id, [0, 1])) == [1]


def test_what_was_cancelled_may_be_submitted_again(database: Database) -> None:
    nightly(database)
    job = recorded(database, growing(1, 1))
    first, _ = batches.of_job(database, job.id)
    lease = take(database, first)
    batches.finish(database, lease, outcome(lease))
    steering.cancel(database, jobs.get(database, job.id))
    assert [one.batch_id for one in runs.submitted(database, schedules.find(database, "nightly"))] == [first.id]


def test_more_batches_than_are_read_at_once_come_in_their_order(database: Database) -> None:
    nightly(database)
    recorded(database, growing(*[1] * 120))
    recorded(database, growing(1))
    ids = [one.batch_id for one in runs.submitted(database, schedules.find(database, "nightly"))]
    assert (len(ids), ids) == (121, sorted(ids))


def test_bytes_that_proved_the_same_are_known_by_their_new_look(database: Database) -> None:
    schedule = nightly(database)
    (batch,) = batches.of_job(database, recorded(database, growing(2)).id)
    schedule = schedules.find(database, "nightly")
    largest = 2**64 - 1
    runs.record(database, schedule, Run(LATER, 2, proven={batch.id: array("Q", [1, largest])}))
    assert [list(one.stamps) for one in runs.submitted(database, schedule)] == [[1, largest]]


def test_a_removed_schedule_leaves_its_jobs(database: Database) -> None:
    nightly(database)
    job = recorded(database, growing(2))
    schedules.remove(database, "nightly")
    assert rows(database, tables.stamps) == []
    assert jobs.get(database, job.id).schedule == "nightly"


def test_a_replaced_schedule_remembers_unless_its_folder_is_another_one(database: Database) -> None:
    before = nightly(database)
    recorded(database, growing(2))
    schedules.add(database, replace(PLAN, cron="0 3 * * *"), LATER, replace=True)
    after = schedules.find(database, "nightly")
    assert (after.id, after.plan.cron, len(list(runs.submitted(database, after)))) == (before.id, "0 3 * * *", 1)
    schedules.add(database, replace(PLAN, source="file:///elsewhere"), LATER, replace=True)
    assert list(runs.submitted(database, after)) == []
    with pytest.raises(StaleSchedule):
        runs.record(database, after, growing(1))


def test_replacing_what_is_not_there_adds_it(database: Database) -> None:
    assert schedules.add(database, PLAN, LATER, replace=True).plan == PLAN
