"""Retention: the ledger forgets jobs that ended long ago, in small steps between which everybody else gets their turn."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from core.database import Database
from core.durations import as_text
from core.ledger import pruning
from core.ledger.pruning import Rule
from scheduler.producer import Line

log = logging.getLogger(__name__)

#: Seconds that pruning may take of one round of the scheduler.
_TURN = 1.0
#: Seconds after which the scheduler looks again, once nothing old is left.
_INTERVAL = 600.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed."""

    jobs: int
    images: int
    #: False where the time was used up before everything old was gone.
    finished: bool


def prune(database: Database, rule: Rule, *, seconds: float | None = None) -> Pruned:
    """Remove every job that the rule gives up, the oldest first; where it is interrupted, the next one goes on.

    Args:
        database: the ledger.
        rule: what may be removed.
        seconds: after which it stops, though not within a step; None: once nothing is left.

    Raises:
        LedgerUnreachable: the database does not answer; what is removed by then is removed.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    jobs = images = 0
    for job in pruning.old_jobs(database, rule):
        whole = job.kept is not None
        while not whole:
            if deadline is not None and time.monotonic() > deadline:
                return Pruned(jobs, images, finished=False)
            started = time.monotonic()
            removed = pruning.prune_some(database, rule, job.id)
            if removed is None:
                break
            jobs, images, whole = jobs + removed.whole, images + removed.images, removed.whole
            # SQLite lets one write at a time, and those who wait for it only look now and then: leave them half of it.
            time.sleep(time.monotonic() - started)
    return Pruned(jobs, images, finished=True)


class Retention:
    """What the scheduler removes by the setting `retention`, some of it in every round."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._next = 0.0

    def turn(self) -> None:
        """Remove what is old, for a second at the most; nothing where the setting is not made.

        Raises:
            LedgerUnreachable: the database does not answer; the next round goes on.
        """
        length = self._line.settings.retention
        if length is None or time.monotonic() < self._next:
            return
        pruned = prune(self._line.database, Rule(length), seconds=_TURN)
        if pruned.finished:
            self._next = time.monotonic() + _INTERVAL
        if pruned.images:
            ago = as_text(length)
            log.info("%s images and %s jobs went that had ended more than %s ago", pruned.images, pruned.jobs, ago)
