"""What ended long ago goes, whole or not at all as far as accounts can tell, and nothing that is still needed goes."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from core import clock, tables
from core.database import Database
from core.errors import IllegalTransition, ImageNotFound, StaleSchedule
from core.hooks import Hook
from core.ledger import audit, batches, corrections, jobs, notices, pruning, results, runs, schedules, steering
from core.ledger.pruning import Kept, Removed, Rule
from core.ledger.schedules import Plan
from core.ledger.shadows import Shadow
from core.vocabulary import Job, JobState
from tests.core.examples import create_job, outcome, register_model, rows, score, take
from tests.core.racing import at_once, several_databases

DAY = 86_400.0
RULE = Rule(timedelta(days=90))
#: Tables in which a job has rows.
OF_JOBS = (
    *(tables.jobs, tables.batches, tables.predictions, tables.rejections, tables.confusion),
    *(tables.shadow_predictions, tables.corrections, tables.stamps, tables.notices),
)


def age(database: Database, job: Job, days: float) -> None:
    """Let a job have ended so many days ago."""
    moment = clock.seconds_from_now(-days * DAY)
    with database.begin() as connection:
        connection.execute(update(tables.jobs).where(tables.jobs.c.id == job.id).values(finished_at=moment))


def ended(database: Database, days: float = 100.0, sizes: tuple[int, ...] = (3, 2), **options: Any) -> Job:
    """A job that was scored and ended so many days ago."""
    job = create_job(database, sizes, labelled=True, **options)
    score(database, job, [[*range(size - 1), None] for size in sizes])
    age(database, job, days)
    return jobs.get(database, job.id)


def newest(database: Database) -> Job:
    """A job of today, so that no other is the newest."""
    return ended(database, 0.0)


def prune(database: Database, rule: Rule = RULE) -> list[int]:
    """Remove all that may go; returns the numbers of the jobs."""
    gone = []
    for job in pruning.old_jobs(database, rule):
        while job.kept is None and (removed := pruning.prune_some(database, rule, job.id)) is not None:
            if removed.whole:
                gone.append(job.id)
                break
    return gone


def kept(database: Database, rule: Rule = RULE) -> dict[int, Kept | None]:
    return {job.id: job.kept for job in pruning.old_jobs(database, rule)}


def count(database: Database) -> dict[str, int]:
    with database.read() as connection:
        chosen = {table.name: select(func.count()).select_from(table) for table in OF_JOBS}
        return {name: connection.execute(one).scalar_one() for name, one in chosen.items()}


def test_what_ended_long_ago_goes_with_all_its_rows_and_the_rest_stays_as_it_was(database: Database) -> None:
    notices.set_hooks(database, [Hook("http://localhost/")])
    old, young = ended(database, 91), ended(database, 89)
    challenger = register_model(database, "other")
    lease = take(database, batches.of_job(database, create_job(database, [2]).id)[0])
    batches.finish(database, lease, outcome(lease), Shadow(challenger.id, [1, 1], [0.5, 0.5]))
    assert count(database)["shadow_predictions"] == 2
    age(database, jobs.get(database, lease.batch.job_id), 91)
    newest(database)
    with database.begin() as connection:
        connection.execute(update(tables.notices).values(state="delivered"))
    before = list(results.of_job(database, young.id))
    assert prune(database) == [old.id, lease.batch.job_id]
    assert list(results.of_job(database, young.id)) == before
    left = {"jobs": 2, "batches": 4, "predictions": 6, "rejections": 4, "notices": 2}
    empty = dict.fromkeys(("shadow_predictions", "corrections", "stamps"), 0)
    assert count(database) == {**left, **empty, "confusion": count(database)["confusion"]}
    assert {row["batch_id"] for row in rows(database, tables.confusion)} <= {
        row["id"] for row in rows(database, tables.batches)
    }
    assert audit.miscounted(database) == jobs.ended_unbalanced(database) == []


def test_a_large_job_goes_in_steps_after_each_of_which_its_accounts_balance(database: Database) -> None:
    job = ended(database, sizes=(3000, 1000, 500, 500))
    newest(database)
    assert pruning.prune_some(database, RULE, job.id) == Removed(4000, whole=False)
    left = jobs.get(database, job.id)
    assert (left.accounts.found, left.accounts.scored, left.accounts.rejected) == (1000, 998, 2)
    assert (left.accounts.balanced, left.batches, left.state) == (True, 2, JobState.DONE)
    assert audit.miscounted(database) == jobs.ended_unbalanced(database) == []
    assert len(list(results.of_job(database, job.id))) == 1000
    assert pruning.prune_some(database, RULE, job.id) == Removed(1000, whole=True)
    assert pruning.prune_some(database, RULE, job.id) is None


def test_a_batch_larger_than_a_step_goes_at_once_and_many_small_ones_in_several(database: Database) -> None:
    large, small = ended(database, sizes=(5000,)), ended(database, sizes=(1,) * 70)
    newest(database)
    assert pruning.prune_some(database, RULE, large.id) == Removed(5000, whole=True)
    assert pruning.prune_some(database, RULE, small.id) == Removed(64, whole=False)
    assert pruning.prune_some(database, RULE, small.id) == Removed(6, whole=True)


def test_what_has_not_ended_is_kept_however_old_it_is(database: Database) -> None:
    queued, paused = create_job(database, [1]), create_job(database, [1, 1], max_rejected=0.0)
    lease = take(database, batches.of_job(database, paused.id)[0])
    batches.finish(database, lease, outcome(lease, labels=[None]))
    retried = ended(database, sizes=(2,))
    cancelled = steering.cancel(database, create_job(database, [1]))
    age(database, cancelled, 100)
    steering.retry(database, cancelled)
    newest(database)
    assert kept(database) == {retried.id: None}
    assert {queued.id, paused.id, cancelled.id}.isdisjoint(prune(database))


def test_a_job_that_is_retried_meanwhile_is_left_alone(database: Database) -> None:
    cancelled = steering.cancel(database, create_job(database, [2]))
    age(database, cancelled, 100)
    newest(database)
    assert kept(database) == {cancelled.id: None}
    steering.retry(database, cancelled)
    assert pruning.prune_some(database, RULE, cancelled.id) is None
    score(database, cancelled)
    assert jobs.get(database, cancelled.id).accounts.scored == 2


def test_corrections_are_kept_with_their_job_unless_they_are_to_go(database: Database) -> None:
    job = ended(database)
    newest(database)
    corrections.record(database, job.id, "1/0.png", 7, by="ada")
    assert kept(database) == {job.id: Kept.CORRECTED}
    assert pruning.prune_some(database, RULE, job.id) is None
    assert len(corrections.of_job(database, job.id)) == 1
    assert prune(database, Rule(timedelta(days=90), with_corrections=True)) == [job.id]
    assert count(database)["corrections"] == 0


def test_what_a_schedule_knows_its_files_by_stays_when_their_job_goes(database: Database) -> None:
    job = ended(database)
    newest(database)
    plan = Plan("nightly", "file:///scans", "0 2 * * *")
    schedule = schedules.add(database, plan, datetime(2100, 1, 1, tzinfo=UTC))
    first, second = batches.of_job(database, job.id)
    known = [{"batch_id": first.id, "stamps": "1 2 a"}, {"batch_id": second.id, "stamps": "0 4"}]
    with database.begin() as connection:
        connection.execute(update(tables.schedules).values(job_id=job.id))
        connection.execute(insert(tables.stamps).values(schedule_id=schedule.id), known)
    before = list(runs.submitted(database, schedule))
    hashes = [runs.hashes(database, batch.id, range(batch.size)) for batch in (first, second)]
    assert [len(of_batch) for of_batch in hashes] == [2, 1]
    assert kept(database) == {job.id: None}
    assert prune(database) == [job.id]
    assert (count(database)["stamps"], rows(database, tables.schedules)[0]["job_id"]) == (0, None)
    assert list(runs.submitted(database, schedule)) == before
    assert [runs.hashes(database, batch.id, range(batch.size)) for batch in (first, second)] == hashes
    with pytest.raises(StaleSchedule):
        runs.record(database, schedule, runs.Run(schedule.next_at, 0))
    read = schedules.find(database, "nightly")
    runs.record(database, read, runs.Run(read.next_at, 5, proven={second.id: array("Q", [7, 8])}))
    assert [list(batch.stamps) for batch in runs.submitted(database, read)] == [[1, 2, 10], [7, 8]]
    schedules.remove(database, "nightly")
    assert rows(database, tables.known_files) == []


def test_a_drop_that_is_not_filed_and_a_notice_that_is_not_told_keep_their_jobs(database: Database) -> None:
    drop = ended(database, claim="c1")
    notices.set_hooks(database, [Hook("http://localhost/")])
    untold = ended(database)
    newest(database)
    assert kept(database) == {drop.id: Kept.UNFILED, untold.id: Kept.UNTOLD}
    assert prune(database) == []
    jobs.mark_filed(database, jobs.get(database, drop.id), "file:///done")
    notices.set_hooks(database, [])
    assert prune(database) == [drop.id, untold.id]


def test_the_newest_is_kept_so_that_no_number_is_given_out_twice(database: Database) -> None:
    jobs_before = [ended(database) for _ in range(3)]
    assert kept(database)[jobs_before[-1].id] is Kept.NEWEST
    assert prune(database) == [job.id for job in jobs_before[:-1]]
    assert create_job(database).id > jobs_before[-1].id


def test_several_prune_at_once_and_each_job_goes_once(database: Database, database_url: str) -> None:
    for _ in range(4):
        ended(database, sizes=(2000, 2000, 2000))
    newest(database)
    with several_databases(database_url, 3) as others:
        gone = at_once([partial(prune, other) for other in others])
    assert sorted(number for numbers in gone for number in numbers) == [1, 2, 3, 4]
    assert audit.miscounted(database) == []


def test_a_person_may_neither_correct_nor_retry_what_is_gone(database: Database) -> None:
    job = ended(database)
    newest(database)
    prune(database)
    with pytest.raises(ImageNotFound):
        corrections.record(database, job.id, "1/0.png", 7, by="ada")
    with pytest.raises(IllegalTransition):
        steering.retry(database, job)
