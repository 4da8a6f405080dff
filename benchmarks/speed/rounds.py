"""The candidates take turns: each is started, warmed, measured on every work and stopped, round after round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.speed.candidates import Candidate, Work
from benchmarks.speed.peer import Run
from core.errors import DigitlineError
from core.settings import PREFIX

ROOT = Path(__file__).resolve().parents[2]

#: How often a folder is read in a turn, at most, and seconds after which it is not read again.
_RUNS, _LONG = 3, 10.0
#: Seconds that the machine is watched before each turn, while the candidate is warm and has nothing to do.
_WATCHED = 1.0
#: Seconds that a candidate gets to stop.
_STOP_TIME = 60.0

#: One thread in every process, no GPU, and no word from TensorFlow.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class CandidateFailed(DigitlineError):
    """A candidate ended before it had measured."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a candidate did of one work in one round."""

    candidate: str
    work: Work
    #: As often as the folder was read.
    runs: Sequence[Run]
    #: Share of the machine's processor time that was used just before, while the candidate waited, 0 to 1.
    idle_load: float
    #: Seconds from the candidate's start until it had read a folder to warm up.
    warm_after: float

    @property
    def rate(self) -> float:
        """Images a second, the median of the runs."""
        return median(run.images / run.seconds for run in self.runs)


@dataclass(frozen=True, slots=True)
class Folders:
    """What is read: of each work, by the number of images that are asked for; and what to warm up with."""

    of: Callable[[Work, int], Path]
    images: int
    #: A small folder of digits.
    warm_up: int


def missing_packages(candidates: Sequence[Candidate]) -> list[str]:
    """Packages that candidates need and that are not installed."""
    needed = {package for candidate in candidates for package in candidate.peer.needs}
    return sorted(package for package in needed if find_spec(package) is None)


def take_turn(candidate: Candidate, works: Sequence[Work], folders: Folders, logs: Path) -> Iterator[Turn]:
    """Start a candidate, warm it, and have it read the folder of each of its works.

    Raises:
        CandidateFailed: it ended before; the message shows the end of its log.
    """
    begun = time.monotonic()
    with _started(candidate.name, logs) as measure:
        measure(folders.of(Work.DIGITS, min(folders.warm_up, candidate.most or folders.warm_up)))
        warm_after = time.monotonic() - begun
        for work in works:
            if work not in candidate.works:
                continue
            folder = folders.of(work, min(folders.images, candidate.most or folders.images))
            idle_load = psutil.cpu_percent(_WATCHED) / 100
            yield Turn(candidate.name, work, _runs(measure, folder), idle_load, warm_after)


def _runs(measure: Callable[[Path], Run], folder: Path) -> list[Run]:
    begun = time.monotonic()
    runs = [measure(folder)]
    while len(runs) < _RUNS and time.monotonic() - begun < _LONG:
        runs.append(measure(folder))
    return runs


@contextmanager
def _started(name: str, logs: Path) -> Iterator[Callable[[Path], Run]]:
    """Run a candidate in a process, and a session, of its own."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.peer", name],
            cwd=ROOT,
            env=_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise CandidateFailed(f"{name} has no pipes.")

    def answer() -> Any:
        line = stdout.readline()
        if not line:
            tail = log.read_text(errors="replace")[-2000:]
            raise CandidateFailed(f"{name} has ended with code {process.wait()}. Its log {log} ends:\n{tail}")
        return json.loads(line)

    def measure(folder: Path) -> Run:
        print(json.dumps(str(folder)), file=stdin, flush=True)
        return Run(**answer())

    try:
        answer()
        yield measure
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """Let a candidate stop in order; where it does not, end its whole session."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_TIME)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in inherited.items() if not name.startswith(PREFIX)}
    paths = os.pathsep.join([str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
    return {**kept, **_ENVIRONMENT, "PYTHONPATH": paths}
