"""A line that tells a hook, and what it told, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import update

from core import clock, tables
from core.ledger import jobs, notices
from core.settings import Settings
from core.vocabulary import Job
from scheduler.notices import Messenger
from scheduler.producer import Line
from tests.core.examples import create_job, register_model, rows, score
from tests.scheduler.consumers import Consumer


@contextmanager
def telling(settings: Settings) -> Iterator[Line]:
    """A line with a model, whose ledger knows the hooks of the settings."""
    with closing(Line.open(settings)) as line:
        register_model(line.database)
        notices.set_hooks(line.database, settings.hooks)
        yield line


def turn(line: Line, settings: Settings | None = None) -> None:
    """One round of a scheduler."""
    Messenger(settings or line.settings, line.database, threading.Event()).turn(wait=True)


def ended_job(line: Line, **options: Any) -> Job:
    """A job of four images, of which two were read right, one wrong, and one was rejected."""
    job = create_job(line.database, [3, 1], labelled=True, **options)
    score(line.database, job, [[0, 1, 7], [None]])
    return jobs.get(line.database, job.id)


def told(hook: Consumer) -> list[dict[str, Any]]:
    """What a hook was told, as it came."""
    return [json.loads(request.body) for request in hook.requests]


def make_due(line: Line) -> None:
    """Let every pause and every lease be over."""
    with line.database.begin() as connection:
        connection.execute(update(tables.notices).values(next_at=clock.seconds_from_now(-1)))


def noted(line: Line) -> dict[str, Any]:
    """The one notice in the ledger."""
    (row,) = rows(line.database, tables.notices)
    return row


def waiting(line: Line) -> list[dict[str, Any]]:
    """The notices that are still to be delivered."""
    return [row for row in rows(line.database, tables.notices) if row["state"] == "waiting"]
