"""`digitline demo`: real handwriting through the real line, from the inbox to a report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from core.errors import LedgerError, LineError
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Job
from digitline import embedded
from digitline.handle import JobHandle
from digitline.pace import images_per_second
from digitline.records import as_json
from digitline.report import write_report
from digitline.samples import write_samples
from digitline.scoreboard import print_scoreboard
from scheduler.producer import Line
from training.evaluate import score_matrix
from worker.process import READY

#: Seconds the line gets to start; the first start on a machine reads TensorFlow from a cold disk.
_START_TIME = 180.0
#: Seconds the drop gets to become a job.
_CLAIM_TIME = 60.0
#: Seconds the sweep gets to file the drop; where it does not, the next line does.
_FILING_TIME = 30.0
#: Seconds a stopped line gets beyond its grace time.
_STOP_MARGIN = 30.0


def demo(settings: Settings, *, images: int, page: Path, json: bool) -> int:
    """Score sample digits through the line and print what came out.

    Args:
        settings: name the home; a line that runs there already is used and left running.
        images: digits to score.
        page: HTML file to write.
        json: print JSON instead of tables.

    Returns:
        Exit code: 0 where every image found has met its end.

    Raises:
        LineError: the line does not start, or does not claim the drop.
        JobFailed: not one image could be scored.
    """
    console = Console(stderr=json)
    with _line(settings, console):
        told = f"Writing {images:,} MNIST test digits as PNG files into {settings.inbox_folder} ..."
        console.print(told, soft_wrap=True, highlight=False)
        drop = _drop(settings, images)
        line = Line.open(settings)
        handle = JobHandle(line, _job_of(line, drop, console)).wait(progress=True)
        _wait_until_filed(handle, line)
        page = write_report(line.database, handle.record, page.absolute())
    if json:
        print(as_json(_record(handle, page)))
    else:
        print_scoreboard(console, handle)
        console.print(f"\n[bold]Report[/]    {page}", soft_wrap=True, highlight=False)
        console.print(f"[bold]Images[/]    {_command()} results {handle.id}", highlight=False)
        console.print(f"[bold]Next[/]      {_command()} up   leaves the line running for your folders", highlight=False)
    return 0 if handle.accounts.balanced else 1


@contextmanager
def _line(settings: Settings, console: Console) -> Iterator[None]:
    """A line to use: the one that runs in the home, or one of our own that is stopped at the end."""
    if embedded.running_line(settings) is not None:
        console.print("Using the line that runs in this home.")
        yield
        return
    log = settings.logs_folder / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        up = subprocess.Popen(
            [*embedded.DIGITLINE, "up"],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C ends the demo, which then stops the line in order
        )
    try:
        with console.status("Starting Redis, scheduler, workers and Flower; the workers load the model ..."):
            _wait_for_workers(settings, up, log)
        yield
    finally:
        with console.status("Stopping the line ..."):
            up.terminate()
            up.wait(settings.grace_time + _STOP_MARGIN)


def _wait_for_workers(settings: Settings, up: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIME
    while log.read_text(errors="replace").count(READY) < settings.processes:
        if up.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise LineError("\n  ".join(["The line did not start. It said last:", *last]), mend=f"\nAll of it: {log}")
        time.sleep(0.2)


def _drop(settings: Settings, images: int) -> Path:
    """Write the samples beside the inbox and move them in, so that they arrive whole; a name of its own each time."""
    staging = settings.claimed_folder.parent / "demo-staging"
    shutil.rmtree(staging, ignore_errors=True)
    write_samples(staging, images)
    drop = settings.inbox_folder / f"mnist-test-{images}-{time.strftime('%H%M%S')}"
    staging.rename(drop)
    return drop


def _job_of(line: Line, drop: Path, console: Console) -> Job:
    deadline = time.monotonic() + _CLAIM_TIME
    with console.status("Waiting for the inbox to settle ..."):
        while time.monotonic() < deadline:
            try:
                return jobs.find(line.database, drop.name)
            except LedgerError:
                time.sleep(0.1)
    raise LineError(f"The scheduler did not claim {drop}.", mend=f"See {line.settings.logs_folder}.")


def _wait_until_filed(handle: JobHandle, line: Line) -> None:
    """Give the sweep the time to move the drop to done/, where the report's pictures then come from."""
    deadline = time.monotonic() + _FILING_TIME
    while jobs.is_unfiled(line.database, handle.record) and time.monotonic() < deadline:
        time.sleep(0.1)
    handle.refresh()


def _command() -> str:
    """How this very command line is called from here, whether or not its folder is on the PATH."""
    if shutil.which("digitline") is not None:
        return "digitline"
    return os.path.relpath(Path(sys.executable).parent / "digitline")


def _record(handle: JobHandle, page: Path) -> dict[str, object]:
    return {
        "job": handle.id,
        "accounts": asdict(handle.accounts),
        **score_matrix(handle.confusion_matrix()).as_dict(),
        "images_per_second": images_per_second(handle.record),
        "report": str(page),
    }
