"""What is sent next: as much as there is room for, the highest priority of a job first, then the oldest batch."""

from __future__ import annotations

from functools import partial

import pytest

from core.database import Database
from core.errors import IllegalTransition
from core.ledger import batches, jobs, steering, sweeps
from core.vocabulary import Job, QueueName
from tests.core.examples import batch_row, create_job, new_job, score, send, take
from tests.core.racing import at_once, several_databases


def fill(database: Database, room: int) -> list[tuple[int, int]]:
    """Send what was never sent, without a look into Redis; returns job and place in it of each batch."""
    due = sweeps.to_send(database, QueueName.EXPRESS, room)
    assert due.lost == 0
    return [(batch.job_id, batch.sequence) for batch in due.batches]


def test_no_more_is_sent_than_there_is_room_for_and_the_rest_when_there_is(database: Database) -> None:
    job = create_job(database, [1, 1, 1])
    assert fill(database, 2) == [(job.id, 1), (job.id, 2)]
    first, _, third = batches.of_job(database, job.id)
    assert [batch_row(database, batch)["unsent"] for batch in (first, third)] == [False, True]
    assert fill(database, 2) == [(job.id, 3)]
    assert fill(database, 2) == []


def test_a_job_of_higher_priority_overtakes_what_waits_in_the_ledger(database: Database) -> None:
    low = create_job(database, [1, 1])
    older, newer = (jobs.create(database, new_job([1, 1], priority=5)) for _ in range(2))
    last = jobs.create(database, new_job([1], priority=-1))
    assert fill(database, 3) == [(older.id, 1), (older.id, 2), (newer.id, 1)]
    assert fill(database, 9) == [(newer.id, 2), (low.id, 1), (low.id, 2), (last.id, 1)]


def test_a_priority_that_is_changed_later_holds_for_what_still_waits(database: Database) -> None:
    first, second = create_job(database, [1, 1]), jobs.create(database, new_job([1, 1]))
    assert fill(database, 1) == [(first.id, 1)]
    moved = steering.set_priority(database, second, 9)
    assert (moved.priority, jobs.get(database, second.id).priority) == (9, 9)
    assert fill(database, 9) == [(second.id, 1), (second.id, 2), (first.id, 2)]


def test_a_job_that_has_ended_has_no_turn_any_more(database: Database) -> None:
    job = create_job(database)
    score(database, job)
    with pytest.raises(IllegalTransition, match="Job 1 has ended"):
        steering.set_priority(database, job, 1)


def test_what_was_lost_has_its_turn_again_by_its_priority(database: Database) -> None:
    lost = create_job(database, [1, 1])
    fill(database, 2)
    never_sent, urgent = (jobs.create(database, new_job([1], priority=priority)) for priority in (0, 1))
    due = sweeps.to_send(database, QueueName.EXPRESS, 3, sweeps.Messages(waiting=(), resend_after=-1.0))
    assert [batch.job_id for batch in due.batches] == [urgent.id, lost.id, lost.id]
    assert due.lost == 2
    assert fill(database, 9) == [(never_sent.id, 1)]


def test_what_redis_holds_keeps_nothing_behind_it_from_its_turn(database: Database) -> None:
    job = create_job(database, [1] * 6)
    fill(database, 4)
    of_job = batches.of_job(database, job.id)
    held, *waiting, _, _ = [batch.id for batch in of_job]
    again = send(database, waiting=waiting, held={held}, resend_after=-1.0, held_for=600.0, limit=1)
    assert again == of_job[4:5]


def test_each_queue_has_a_turn_of_its_own(database: Database) -> None:
    job = create_job(database, [1])
    assert sweeps.to_send(database, QueueName.BULK, 9).batches == []
    assert fill(database, 9) == [(job.id, 1)]


def test_of_two_who_send_at_once_each_batch_goes_to_one(database: Database, database_url: str) -> None:
    job = create_job(database, [1] * 40)
    with several_databases(database_url, 4) as many:
        answers = at_once([partial(sweeps.to_send, mine, QueueName.EXPRESS, 30) for mine in many])
    sent = [batch.sequence for answer in answers for batch in answer.batches]
    assert len(sent) == len(set(sent))
    sent += [sequence for _, sequence in fill(database, 40)]
    assert sorted(sent) == list(range(1, 41))
    assert job.batches == 40


def test_a_batch_waits_from_its_sending_on(database: Database) -> None:
    batch = batches.of_job(database, create_job(database).id)[0]
    made = batch_row(database, batch)["sent_at"]
    fill(database, 1)
    sent = batch_row(database, batch)["sent_at"]
    assert sent > made
    lease = take(database, batch)
    started = batch_row(database, batch)["started_at"]
    assert lease.waited == pytest.approx((started - sent).total_seconds())


def unsent_of(database: Database, job: Job) -> list[int]:
    return [batch.sequence for batch in batches.of_job(database, job.id) if batch_row(database, batch)["unsent"]]


def test_a_batch_that_somebody_claims_was_sent(database: Database) -> None:
    job = create_job(database, [1, 1])
    lease = take(database, batches.of_job(database, job.id)[0])
    batches.release(database, lease, "it had no luck")
    assert unsent_of(database, job) == [2]
    assert fill(database, 9) == [(job.id, 2)]


def test_a_cancelled_job_that_is_retried_before_its_turn_is_sent_when_it_comes(database: Database) -> None:
    job = steering.retry(database, steering.cancel(database, create_job(database, [1])))
    assert fill(database, 9) == [(job.id, 1)]
