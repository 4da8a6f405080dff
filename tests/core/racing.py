"""Threads that start at the same moment, and what PostgreSQL says about who waits for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import text

from core.database import Database
from tests.waiting import wait_until

Value = TypeVar("Value")


def at_once(actions: Sequence[Callable[[], Value]]) -> list[Value]:
    """Run every action in a thread of its own, all from the same moment; returns what each returned."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Value]) -> Value:
        barrier.wait(60)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


@contextmanager
def several_databases(url: str, number: int) -> Iterator[list[Database]]:
    """As many independent connections to one ledger, as of as many processes, opened before the race."""
    databases = [Database(url) for _ in range(number)]
    try:
        for database in databases:
            database.check_revision()
        yield databases
    finally:
        for database in databases:
            database.close()


@contextmanager
def in_background(action: Callable[[], Value]) -> Iterator[Future[Value]]:
    """Run the action in a thread while the body goes on; the thread has ended at the end."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(action)


def wait_for_blocked(database: Database, number: int) -> None:
    """Return once that many connections to this PostgreSQL database wait for a lock."""

    def blocked() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with database.read() as connection:
            return int(connection.execute(text(query)).scalar_one()) == number

    wait_until(blocked, f"{number} connections wait for a lock")
