"""How fast a job gets on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.vocabulary import Accounts, Job, JobState, QueueName, Trigger
from digitline.pace import finished_images, images_per_second, seconds_left, seconds_worked

_START = datetime(2026, 1, 1, tzinfo=UTC)
_RUNNING = Job(
    id=1,
    name="scans",
    source="file:///scans",
    state=JobState.RUNNING,
    queue=QueueName.BULK,
    triggered_by=Trigger.CLI,
    accounts=Accounts(100, 15, 4, 1),
    batches=5,
    model="small",
    created_at=_START,
    started_at=_START,
)


def test_a_running_job_has_a_rate_and_time_left() -> None:
    now = _START + timedelta(seconds=10)
    assert finished_images(_RUNNING.accounts) == 20
    assert images_per_second(_RUNNING, now) == 2.0
    assert seconds_left(_RUNNING, now) == 40.0


def test_a_job_that_nobody_has_begun_has_neither() -> None:
    waiting = replace(_RUNNING, started_at=None, state=JobState.QUEUED)
    assert (seconds_worked(waiting), images_per_second(waiting), seconds_left(waiting)) == (None, None, None)


def test_a_job_that_has_ended_has_a_rate_and_no_time_left() -> None:
    ended = replace(_RUNNING, state=JobState.CANCELLED, finished_at=_START + timedelta(seconds=4))
    assert images_per_second(ended) == 5.0
    assert seconds_left(ended) is None


def test_a_ledger_whose_clock_is_ahead_gives_no_rate_rather_than_a_negative_one() -> None:
    assert seconds_worked(_RUNNING, _START - timedelta(hours=1)) == 0.0
    assert images_per_second(_RUNNING, _START - timedelta(hours=1)) is None
