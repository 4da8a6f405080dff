"""What Prometheus is told of the line, read from ledger, Redis and inbox whenever it asks."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.database import Database
from core.errors import DigitlineError
from core.ledger import figures
from core.ledger.figures import Backlog
from core.queues import Inspector
from core.settings import Settings
from core.vocabulary import QueueName
from scheduler.names import ignored
from scheduler.setbacks import Setbacks
from scheduler.totals import Totals

log = logging.getLogger(__name__)

#: Seconds that a scrape waits for the one before, which may wait for a server that takes no leave.
_PATIENCE = 3.0


class LineCollector(Collector):
    """Reads every part of the line; one that does not answer is said to be down, and keeps no other from being read."""

    def __init__(self, settings: Settings, setbacks: Setbacks | None = None) -> None:
        """Count from now on; connections are of its own, for it is asked in other threads than the scheduler's.

        Args:
            settings: of this process.
            setbacks: of the scheduler's loop; default: it has none.

        Raises:
            LedgerUnreachable: the database does not answer.
        """
        self._settings = settings
        self._setbacks = Setbacks() if setbacks is None else setbacks
        self._database = Database(settings.database)
        self._inspector = Inspector(settings)
        self._totals = Totals(self._database)
        self._parts: dict[str, Callable[[], Iterator[Metric]]] = {
            "ledger": self._ledger,
            "redis": self._redis,
            "inbox": self._inbox,
        }
        self._lock = threading.Lock()
        #: The part that is being read.
        self._asked = ""
        self._down: set[str] = set()

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()
        self._inspector.close()

    def collect(self) -> list[Metric]:
        """Every family of the line; where another scrape waits for a part, only that this part is down."""
        up = _gauge("up", "1 where this part of the line answers, 0 where not.", "part")
        if not self._lock.acquire(timeout=_PATIENCE):
            up.add_metric([self._asked], 0)
            return [up]
        try:
            return [up, *self._read(up)]
        finally:
            self._lock.release()

    def _read(self, up: GaugeMetricFamily) -> Iterator[Metric]:
        took = _gauge("scrape_part_duration_seconds", "What a part of the line took to answer this scrape.", "part")
        for part, read in self._parts.items():
            self._asked, begun = part, time.perf_counter()
            try:
                yield from read()
            except (DigitlineError, OSError) as error:
                self._note(part, error)
            else:
                self._note(part, None)
            up.add_metric([part], part not in self._down)
            took.add_metric([part], time.perf_counter() - begun)
        yield took
        yield from self._room()
        # Also while the ledger is down: a counter that is not there for a while is no harm, but a gap in a chart.
        yield from self._totals.collect()

    def _room(self) -> Iterator[Metric]:
        lacking = _gauge("no_room", "1 where the scheduler last found no room, or that nothing may be written.", "part")
        for part, found in self._setbacks.without_room().items():
            lacking.add_metric([part], found)
        yield lacking

    def _note(self, part: str, error: Exception | None) -> None:
        """Remember how a part is, and log it when that changes: a scrape comes every few seconds."""
        if error is not None and part not in self._down:
            log.warning("the metrics miss a part of the line, %s: %s", part, error)
            self._down.add(part)
        elif error is None:
            self._down.discard(part)

    def _ledger(self) -> Iterator[Metric]:
        self._totals.read()
        standing = figures.standing(self._database)
        self._totals.expect(standing.models)
        yield from _backlogs(standing.backlogs)
        yield _gauge(
            "uncounted_batches", "Batches that have ended and are counted next time.", value=self._totals.behind
        )
        leases = standing.leases
        yield _gauge("open_leases", "Batches that a worker has in hand.", value=leases.open)
        yield _gauge("overdue_leases", "Batches whose lease ran out and that no sweep took back.", value=leases.overdue)
        yield _gauge("busy_worker_processes", "Worker processes that have a batch in hand.", value=leases.holders)
        jobs = _gauge("jobs", "Jobs that have not ended, by state.", "state")
        for state, number in standing.jobs.items():
            jobs.add_metric([state.value], number)
        yield jobs
        yield _gauge("line_paused", "1 while the whole line waits for a person, else 0.", value=standing.paused)
        models = _gauge("model_info", "1 for each model that scores now.", "model", "model_id", "sha256", "alias")
        for model in standing.models:
            models.add_metric([model.name, str(model.id), model.sha256, model.alias], 1)
        yield models

    def _redis(self) -> Iterator[Metric]:
        depths = _gauge("queue_messages", "Messages that wait in Redis, by queue.", "queue")
        for queue, depth in self._inspector.depths().items():
            depths.add_metric([queue.value], depth)
        yield depths

    def _inbox(self) -> Iterator[Metric]:
        ages = _ages(self._settings.inbox_folder)
        free = shutil.disk_usage(self._settings.inbox_folder).free
        yield _gauge("disk_free_bytes", "What is free on the disk of the drops.", value=free)
        yield _gauge("inbox_drops", "Drops that wait in the inbox.", value=len(ages))
        oldest = "Time for which the drop that waits longest has lain in the inbox; 0 where none does."
        yield _gauge("inbox_oldest_drop_age_seconds", oldest, value=max(ages, default=0.0))
        if self._settings.heartbeat_file.exists():
            turned = self._settings.heartbeat_file.stat().st_mtime
            yield _gauge(
                "scheduler_last_turn_timestamp_seconds", "When the scheduler's loop turned last.", value=turned
            )


def _backlogs(backlogs: Mapping[QueueName, Backlog]) -> Iterator[Metric]:
    batches = _gauge("waiting_batches", "Batches that wait for a worker, by the ledger.", "queue")
    images = _gauge("waiting_images", "Images of the batches that wait for a worker.", "queue")
    oldest = "Time for which the batch that waits longest has waited; 0 where none does."
    ages = _gauge("oldest_waiting_batch_age_seconds", oldest, "queue")
    for queue, backlog in backlogs.items():
        batches.add_metric([queue.value], backlog.batches)
        images.add_metric([queue.value], backlog.images)
        ages.add_metric([queue.value], backlog.oldest)
    yield from (batches, images, ages)


def _ages(inbox: Path) -> list[float]:
    """Seconds since each drop was last touched from outside: moved in, or an entry added right below it."""
    now, ages = time.time(), []
    with os.scandir(inbox) as entries:
        for entry in entries:
            if ignored(entry.name):
                continue
            try:
                ages.append(max(0.0, now - entry.stat(follow_symlinks=False).st_ctime))
            except FileNotFoundError:
                continue  # claimed a moment ago
    return ages


def _gauge(name: str, help_text: str, *labels: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"digitline_{name}", help_text, value=value, labels=labels or None)
