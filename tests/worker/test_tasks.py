"""The Celery task: what it takes, what it tells, and what it does not fail for."""

from __future__ import annotations

import base64
import importlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Ignore

from core.errors import ImagesQuarantined
from core.queues import get_app
from core.settings import get_settings
from tests.servers import RedisServer
from tests.waiting import wait_until
from worker import process, tasks
from worker.pulse import Progress


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the batches that reached a journey, which tells its progress twice."""
    ids: list[int] = []

    def score(batch_id: int, progress: Progress) -> str:
        ids.append(batch_id)
        progress(1, 2)
        progress(2, 2)
        return "2 scored"

    monkeypatch.setattr(process, "journey", lambda: SimpleNamespace(score=score))
    return ids


def task_on(broker: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The task as a process with that broker loads it, in the middle of a message."""
    monkeypatch.setenv("DIGITLINE_BROKER_URL", broker)
    get_settings.cache_clear()
    get_app.cache_clear()
    task = importlib.reload(tasks).score_batch
    task.push_request(id="1", kwargsrepr="batch 1/1, 2 images")
    return task


@contextmanager
def heard(server: RedisServer) -> Iterator[Callable[[int], list[dict[str, Any]]]]:
    """Listens to what tasks tell Flower; what is yielded waits for so many events."""
    events: list[dict[str, Any]] = []
    with server.client() as client, client.pubsub(ignore_subscribe_messages=True) as listening:
        listening.psubscribe("*")

        def hear(count: int) -> list[dict[str, Any]]:
            def enough() -> bool:
                message = listening.get_message(timeout=1.0)
                if message is not None:
                    events.append(json.loads(base64.b64decode(json.loads(message["data"])["body"])))
                return len(events) >= count

            wait_until(enough, f"{count} events come")
            return events

        yield hear


def test_a_batch_is_scored_and_its_progress_told(
    told: list[int], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_on(redis_server.url, monkeypatch)
    with heard(redis_server) as hear:
        assert task.run(batch_id=7) == "2 scored"
        shown = [(event["type"], event["uuid"], event["result"]) for event in hear(2)]
    assert shown == [("task-progress", "1", "1 of 2 images"), ("task-progress", "1", "2 of 2 images")]
    assert told == [7]


def test_a_redis_that_goes_away_fails_no_batch(
    told: list[int], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_on(redis_server.url, monkeypatch)
    task.run(batch_id=7)
    redis_server.kill()
    assert task.run(batch_id=8) == "2 scored"
    assert told == [7, 8]


@pytest.mark.timeout(60)
def test_a_redis_that_was_never_there_fails_no_batch(
    told: list[int], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.kill()
    assert task_on(redis_server.url, monkeypatch).run(batch_id=8) == "2 scored"
    assert told == [8]


def test_quarantined_images_are_red_in_flower_and_no_error_of_the_worker(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def score(batch_id: int, _: Progress) -> str:
        raise ImagesQuarantined(f"1 scored, 1 quarantined of {batch_id}")

    monkeypatch.setattr(process, "journey", lambda: SimpleNamespace(score=score))
    task = task_on(redis_server.url, monkeypatch)
    with heard(redis_server) as hear:
        with pytest.raises(Ignore):
            task.run(batch_id=7)
        (event,) = hear(1)
    assert (event["type"], event["uuid"]) == ("task-failed", "1")
    assert event["exception"] == "ImagesQuarantined('1 scored, 1 quarantined of 7')"
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == ["batch 1/1, 2 images: 1 scored, 1 quarantined of 7"]


@pytest.mark.parametrize("batch_id", ["7", 7.0, True, None])
def test_what_is_no_number_of_a_batch_is_refused(told: list[int], batch_id: object) -> None:
    with pytest.raises(TypeError, match="batch_id must be a whole number"):
        tasks.score_batch(batch_id=batch_id)
    assert told == []
