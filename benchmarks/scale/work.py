"""The job's way through the line, each step in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks.scale.submitting import Submitted
from core.database import Database
from core.errors import LineError
from core.ledger import jobs
from core.settings import get_settings

#: Seconds between two looks at a job that workers score.
_POLL = 0.2


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job whose batches have all been recorded."""

    #: From the first claim to the end of the job, on the clock.
    seconds: float
    #: What claim and end of each batch took in the ledger, in the order of the batches; empty where workers scored it.
    batches: Sequence[float]
    #: For how long the job's row was locked by each; zeros with SQLite, which locks no rows.
    locked: Sequence[float] = ()


#: Has all batches of a job recorded.
Record = Callable[[int], Recorded]


def submit(folder: Path) -> Submitted:
    """Submit a folder from a new process."""
    answer = _answer("submitting", str(folder))
    return Submitted(**{**answer, "memory": tuple(answer["memory"])})


def pages(job: int) -> dict[str, float]:
    """Seconds of the first pages, asked for by a new process."""
    return dict(_answer("pages", str(job)))


def command_seconds(*words: str) -> float:
    """Seconds until a command has printed its first line, its start included; then nobody reads on."""
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "digitline", *words], stdout=subprocess.PIPE) as process:
        if process.stdout is None or not process.stdout.readline():
            raise LineError(f"`digitline {' '.join(words)}` printed nothing.")
        seconds = time.perf_counter() - begun
        process.stdout.close()
        process.terminate()
    return seconds


@contextmanager
def made_up(processes: int) -> Iterator[Record]:
    """Processes that record outcomes which nobody has found out; no image is read."""
    command = [sys.executable, "-m", "benchmarks.scale.recording"]
    started = [
        subprocess.Popen(
            [*command, str(part), str(processes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for part in range(processes)
    ]

    def record(job: int) -> Recorded:
        begun = time.perf_counter()
        for process in started:
            print(job, file=process.stdin, flush=True)
        parts = [json.loads(process.stdout.readline()) if process.stdout else [] for process in started]
        seconds = time.perf_counter() - begun
        # Dealt out in turn, they come back in turn.
        turns = [taken for turn in zip_longest(*parts) for taken in turn if taken is not None]
        return Recorded(seconds, [taken for taken, _ in turns], [locked for _, locked in turns])

    try:
        yield record
    finally:
        for process in started:
            process.communicate()


@contextmanager
def scored() -> Iterator[Record]:
    """A worker as `digitline worker` runs it, which reads every image."""
    database = Database(get_settings().database)
    worker = subprocess.Popen([sys.executable, "-m", "digitline", "worker"], stderr=subprocess.DEVNULL)

    def record(job: int) -> Recorded:
        while not (found := jobs.get(database, job)).state.ended:
            if worker.poll() is not None:
                raise LineError(f"The worker has ended with code {worker.returncode}.")
            time.sleep(_POLL)
        if found.started_at is None or found.finished_at is None or found.accounts.open:
            raise LineError(f"Job {job} has ended with {found.accounts}.")
        return Recorded((found.finished_at - found.started_at).total_seconds(), [])

    try:
        yield record
    finally:
        worker.terminate()
        worker.wait()
        database.close()


def _answer(module: str, *words: str) -> Any:
    command = [sys.executable, "-m", f"benchmarks.scale.{module}", *words]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
