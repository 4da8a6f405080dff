"""What the steps share: engine, stack, digits, and what is told at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.database import Database
from tests.deploy.engine.docker import Docker, Say
from tests.deploy.engine.drops import Digits
from tests.deploy.engine.stack import Stack


@dataclass
class Scene:
    """Passed from step to step."""

    docker: Docker
    stack: Stack
    digits: Digits
    say: Say
    #: What was measured, in words, by name.
    figures: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def ledger(self) -> Iterator[Database]:
        """The ledger, at the address that PostgreSQL's container has now."""
        database = self.stack.database()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long something took."""
        began = time.monotonic()
        yield
        self.figures[what] = f"{time.monotonic() - began:.0f} s"
        self.say(f"{what}: {self.figures[what]}")
