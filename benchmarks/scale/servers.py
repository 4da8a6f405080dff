"""A home of the bench's own: an embedded Redis and a new, migrated ledger on either database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed.peers import postgresql
from core.settings import PREFIX, get_settings
from digitline import redis_server
from digitline.setup import prepare_ledger


class Kind(StrEnum):
    """The databases that a ledger may be on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@contextmanager
def running(kind: Kind, processes: int) -> Iterator[None]:
    """Run the servers and have the environment name them, for this process and those it starts.

    Args:
        kind: of database.
        processes: that a worker gets.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="digitline-scale-")))
        # Every batch that waits is looked at by every sweep, as in a queue that is hours long.
        chosen = {"HOME": str(home), "CONCURRENCY": str(processes), "RESEND_AFTER": "0.001"}
        # All at once, for no scheduler runs that would send the rest.
        chosen["WINDOW"] = "1000000"
        if kind is Kind.POSTGRESQL:
            chosen["DATABASE_URL"] = stack.enter_context(postgresql.running())
        stack.enter_context(_environment({f"{PREFIX}{name}": value for name, value in chosen.items()}))
        stack.enter_context(redis_server.running(get_settings()))
        prepare_ledger(get_settings())
        yield


@contextmanager
def _environment(chosen: dict[str, str]) -> Iterator[None]:
    """Have these settings and no others within the `with`."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}
    os.environ.update(chosen)
    get_settings.cache_clear()
    try:
        yield
    finally:
        for name in chosen:
            del os.environ[name]
        os.environ.update(before)
        get_settings.cache_clear()
