"""Redis holds a window of batches at most; what is beyond waits in the ledger and is sent as the queue drains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core import tables
from core.ledger import batches, jobs, models, pauses, steering, sweeps
from core.vocabulary import Job, JobState, Lease, QueueName, Trigger
from scheduler.producer import Line, fill, submit
from scheduler.sweep import sweep
from tests.conftest import MakeSettings
from tests.core.examples import rows
from tests.core.racing import at_once
from tests.processes import running
from tests.scheduler.conftest import outcome, pictures
from tests.waiting import wait_until

WINDOW = 3

MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(settings: MakeSettings, database_url: str, redis_url: str) -> Iterator[MakeLine]:
    """Opens lines on one ledger, once on each database, with a small window and batches of one image."""
    opened: list[Line] = []

    def make(**more: Any) -> Line:
        chosen = {"batch_size": 1, "express_limit": 4, "resend_after": 0.001, "settle_time": 0.0, "window": WINDOW}
        opened.append(Line.open(settings(database_url=database_url, broker_url=redis_url, **{**chosen, **more})))
        return opened[-1]

    models.register(make().database, name="model", sha256="0" * 64, location="/nowhere", card={})
    yield make
    for line in opened:
        line.close()


@pytest.fixture
def line(make_line: MakeLine) -> Line:
    """A line on real servers, with a model in its ledger and nobody who scores."""
    return make_line()


def submitted(line: Line, folder: Path, images: int, priority: int = 0) -> Job:
    """A job of so many batches of one image."""
    names = [f"{number:03}.png" for number in range(images)]
    return submit(line, pictures(folder, *names), priority=priority, triggered_by=Trigger.CLI)


def score_next(line: Line, queue: QueueName = QueueName.BULK) -> int | None:
    """Take the next message and score its batch, as a worker does; returns the batch's id, None where none waits."""
    with line.app.connection_for_read() as connection:
        named = {one.name: one for one in line.app.conf.task_queues}
        message = named[queue.value].bind(connection.default_channel).get(no_ack=True)
    if message is None:
        return None
    _, kwargs, _ = message.payload
    batch_id = int(kwargs["batch_id"])
    lease = batches.claim(line.database, batch_id, worker="test", lease_time=60, max_attempts=3)
    if isinstance(lease, Lease):
        batches.finish(line.database, lease, outcome(lease, frozenset()))
    return batch_id


def depth(line: Line, queue: QueueName = QueueName.BULK) -> int:
    return line.inspector.depths()[queue]


def test_a_large_job_sends_a_window_and_the_scheduler_the_rest_as_the_queue_drains(line: Line, tmp_path: Path) -> None:
    job = submitted(line, tmp_path / "scans", 8)
    assert depth(line) == WINDOW
    order = []
    while (batch_id := score_next(line)) is not None:
        order.append(batch_id)
        fill(line)
        assert depth(line) <= WINDOW
    assert order == [batch.id for batch in batches.of_job(line.database, job.id)]
    assert jobs.get(line.database, job.id).state is JobState.DONE


def test_a_window_is_filled_by_portions(make_line: MakeLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "PORTION", 2)
    line = make_line(window=5)
    submitted(line, tmp_path / "scans", 8)
    assert depth(line) == 5
    line.app.control.purge()
    sweep(line)
    assert depth(line) == len(line.inspector.waiting()) == 5


def test_a_full_queue_keeps_the_other_one_waiting_for_nothing(line: Line, tmp_path: Path) -> None:
    submitted(line, tmp_path / "large", 8)
    submitted(line, tmp_path / "small", 2)
    assert (depth(line), depth(line, QueueName.EXPRESS)) == (WINDOW, 2)


def test_a_job_of_higher_priority_is_scored_before_what_waits_in_the_ledger(line: Line, tmp_path: Path) -> None:
    low = submitted(line, tmp_path / "low", 6)
    high = submitted(line, tmp_path / "high", 5, priority=5)
    assert depth(line) == WINDOW
    of_job = {batch.id: job.id for job in (low, high) for batch in batches.of_job(line.database, job.id)}
    order = []
    while (batch_id := score_next(line)) is not None:
        order.append(of_job[batch_id])
        sweep(line)
    assert order == [low.id] * WINDOW + [high.id] * 5 + [low.id] * 3


def test_what_redis_lost_is_sent_again_once_and_no_more_than_a_window(line: Line, tmp_path: Path) -> None:
    submitted(line, tmp_path / "scans", 8)
    line.app.control.purge()
    for _ in range(3):
        sweep(line)
    assert depth(line) == len(line.inspector.waiting()) == WINDOW
    while score_next(line) is not None:
        sweep(line)
    assert all(row["attempts"] == 1 for row in rows(line.database, tables.batches))


def test_two_schedulers_at_once_send_nothing_twice(make_line: MakeLine, tmp_path: Path) -> None:
    # Nothing counts as lost, or each might see what the other has marked and is about to send.
    many = [make_line(window=20, resend_after=600.0) for _ in range(3)]
    submitted(make_line(window=1), tmp_path / "scans", 30)
    at_once([partial(sweep, one) for one in many])
    sent = depth(many[0])
    assert sent == len(many[0].inspector.waiting())
    assert 20 <= sent <= 30


def test_a_paused_line_sends_nothing_and_all_of_it_once_it_goes_on(line: Line, tmp_path: Path) -> None:
    pauses.pause_line(line.database, by="ada")
    job = submitted(line, tmp_path / "scans", 2)
    sweep(line)
    assert depth(line, QueueName.EXPRESS) == 0
    pauses.resume_line(line.database)
    sweep(line)
    assert line.inspector.waiting() == {batch.id for batch in batches.of_job(line.database, job.id)}


def test_messages_that_workers_leave_while_their_job_is_paused_are_sent_again(line: Line, tmp_path: Path) -> None:
    job = submitted(line, tmp_path / "scans", 5)
    paused = steering.pause(line.database, job, by="ada")
    for _ in range(WINDOW):
        assert score_next(line) is not None
    assert jobs.get(line.database, job.id).accounts.scored == 0
    sweep(line)
    assert depth(line) == 0
    steering.resume(line.database, paused)
    sweep(line)
    while score_next(line) is not None:
        sweep(line)
    assert jobs.get(line.database, job.id).accounts.scored == 5


def test_a_scheduler_fills_a_queue_up_between_its_sweeps(make_line: MakeLine, tmp_path: Path) -> None:
    line = make_line(sweep_interval=3600.0, scan_interval=0.1)
    job = submitted(line, tmp_path / "scans", 20)
    with running(line.settings, "scheduler", log=tmp_path / "scheduler.log") as scheduler:
        scheduler.says("the inbox is")

        def ended() -> bool:
            score_next(line)
            return jobs.get(line.database, job.id).state is JobState.DONE

        wait_until(ended, "all is scored", 60.0)
        assert scheduler.stop() == 0
