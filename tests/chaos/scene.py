"""The line under chaos: servers behind proxies, a scheduler and workers that are started anew whenever they die."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from core.database import Database
from core.settings import Settings
from core.vocabulary import Job, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.processes import LineProcess
from tests.proxy import Proxy
from tests.servers import PostgresServer, RedisServer
from worker.process import READY

WORKERS = ("worker-1", "worker-2")
SCHEDULER = "scheduler"
#: Seconds between a process's death and its next start, as a supervisor would have it.
_RESTART_AFTER = 0.5


class Scene:
    """Everything that runs; use it in a `with`."""

    def __init__(self, folder: Path, workers: Sequence[str] = WORKERS) -> None:
        """Prepare, and start nothing.

        Args:
            folder: empty; for the home, the logs and the crash points.
            workers: names of the workers to start.
        """
        self.folder = folder
        self._workers = workers
        self.redis = RedisServer(tcp=True)
        self.postgres = PostgresServer(tcp=True, durable=True)
        self._stack = ExitStack()
        self._over = threading.Event()
        self._lock = threading.RLock()
        self.processes: dict[str, LineProcess] = {}
        self.restarts = 0

    def __enter__(self) -> Self:
        try:
            for server in (self.redis, self.postgres):
                self._stack.enter_context(server)
            direct = self.postgres.create_database("chaos")
            self.redis_proxy = self._stack.enter_context(Proxy(self.redis.port))
            self.postgres_proxy = self._stack.enter_context(Proxy(self.postgres.port))
            self.settings = _settings(self.folder, self.redis_proxy.port, self.postgres_proxy.port)
            #: Past the proxy, for the oracle alone.
            self.database = Database(direct)
            self._stack.callback(self.database.close)
            prepare_ledger(self.settings)
            for name in (SCHEDULER, *self._workers):
                self._start(name)
            self._stack.callback(self._end)
            for name in self._workers:
                self.processes[name].says(READY)
            watch = threading.Thread(target=self._supervise, daemon=True)
            watch.start()
            self._stack.callback(watch.join, 10)
            self._stack.callback(self._over.set)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def line(self) -> Line:
        """The line as a script sees it: through the proxies."""
        return Line.open(self.settings)

    def send(self, folder: Path) -> Job:
        """Make a job as a script does."""
        line = self.line()
        try:
            return submit(line, folder, triggered_by=Trigger.SCRIPT)
        finally:
            line.close()

    def process(self, name: str) -> LineProcess:
        """The living process of a name."""
        with self._lock:
            return self.processes[name]

    def _start(self, name: str) -> None:
        verb = ["scheduler"] if name == SCHEDULER else ["worker", "--name", name]
        self.processes[name] = LineProcess(self.settings, *verb, log=self.folder / f"{name}.log")

    def _supervise(self) -> None:
        while not self._over.wait(_RESTART_AFTER):
            with self._lock:
                for name in [name for name, process in self.processes.items() if process.exit_code is not None]:
                    self.processes[name].close()  # children that outlived it
                    self._start(name)
                    self.restarts += 1

    def _end(self) -> None:
        with self._lock:
            for process in self.processes.values():
                process.close()


def _settings(folder: Path, redis_port: int, postgres_port: int) -> Settings:
    crash_points = folder / "crash"
    crash_points.mkdir(parents=True)
    return Settings(
        home=folder / "home",
        database_url=f"postgresql+psycopg://postgres@127.0.0.1:{postgres_port}/chaos",
        broker_url=f"redis://127.0.0.1:{redis_port}/0",
        batch_size=20,
        concurrency=1,
        # Random kills are not a batch's fault, and here one batch may meet many.
        max_attempts=20,
        lease_time=4.0,
        resend_after=2.0,
        sweep_interval=1.0,
        scan_interval=0.5,
        settle_time=0.5,
        visibility_timeout=20,
        soft_time_limit=60,
        grace_time=6,
        crash_points=crash_points,
    )
