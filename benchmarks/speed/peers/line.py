"""The line itself, as `digitline up` runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import digitline
from benchmarks.speed.candidates import Line
from benchmarks.speed.peer import Measure, Run
from benchmarks.speed.peers import postgresql
from core.errors import LineError
from core.ledger.results import stage_seconds
from core.settings import PREFIX, get_settings
from core.vocabulary import Labels
from digitline.connection import open_line
from worker.process import READY

#: Seconds the line gets to start: the first start on a machine reads TensorFlow from a cold disk.
_START_TIME = 180.0
#: Seconds between two looks at the job. Its end is read from the ledger, so looking seldom costs no accuracy.
_POLL = 0.5
#: Seconds between two questions for Flower's metrics; Prometheus asks every 15 to 60.
_SCRAPE = 1.0


@contextmanager
def opened(peer: Line) -> Iterator[Measure]:
    """Start servers and line in a home of their own; every worker process has loaded the model."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="digitline-speed-")))
        chosen = {"HOME": str(home), "CONCURRENCY": str(peer.processes)}
        if peer.database == "postgresql":
            chosen["DATABASE_URL"] = stack.enter_context(postgresql.running())
        os.environ.update({f"{PREFIX}{name}": value for name, value in chosen.items()})
        log = stack.enter_context(_up(home, flower=peer.flower, processes=peer.processes))
        if peer.flower:
            stack.enter_context(_asked_for_metrics(log))
        yield _measure


def _measure(folder: Path) -> Run:
    begun = time.time()
    job = digitline.submit(folder, labels=Labels.FOLDERS).wait(poll=_POLL).record
    if job.finished_at is None or job.accounts.open or job.accounts.quarantined:
        raise LineError(f"Job {job.id} has ended with {job.accounts}.")
    # The transaction that commits the last rows closes the job, and writes when: milliseconds before it is committed.
    seconds = job.finished_at.timestamp() - begun
    return Run(job.accounts.found, seconds, job.correct, stage_seconds(open_line().database, job.id))


@contextmanager
def _up(home: Path, *, flower: bool, processes: int) -> Iterator[Path]:
    """Run `digitline up`; yields its log."""
    log = home / "up.log"
    verb = ["up", "--no-web", "--flower" if flower else "--no-flower"]
    with log.open("w") as output:
        up = subprocess.Popen([sys.executable, "-m", "digitline", *verb], stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_TIME
        while log.read_text(errors="replace").count(READY) < processes:
            if up.poll() is not None or time.monotonic() > deadline:
                raise LineError(f"The line did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield log
    finally:
        up.terminate()
        up.wait(2 * get_settings().grace_time)


@contextmanager
def _asked_for_metrics(log: Path) -> Iterator[None]:
    """Ask Flower for its metrics, as Prometheus does, until the body ends."""
    found = re.search(r"Flower\s+(http://\S+)", log.read_text())
    if found is None:
        raise LineError("The line does not say where Flower is.")
    over, failed = threading.Event(), []

    def ask() -> None:
        while not over.wait(_SCRAPE):
            try:
                with urlopen(f"{found[1]}/metrics", timeout=10) as page:
                    page.read()
            except OSError as error:
                failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    if failed:
        raise LineError(f"Flower did not give its metrics {len(failed)} times: {failed[0]}")
