"""`python -m benchmarks.speed.profile`: where one worker process spends its time during jobs, as a flame graph."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.speed.candidates import CANDIDATES, Work
from benchmarks.speed.peer import opened
from benchmarks.speed.rounds import ROOT
from benchmarks.speed.work import folder_of
from core.errors import DigitlineError, LineError

#: Samples a second.
_RATE = 500


def profile(
    images: Annotated[int, typer.Option(min=1, max=10_000, help="Images of a job.")] = 10_000,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs, one after the other.")] = 5,
    line: Annotated[str, typer.Option(help="Which line: `line-sqlite` or `line-postgresql`.")] = "line-sqlite",
    output: Annotated[Path, typer.Option(help="The flame graph.")] = ROOT / "build" / "profile.svg",
) -> None:
    """Run jobs through a line, and draw where one of its worker processes spends the time."""
    if CANDIDATES[line].peer.module != "line":
        raise typer.BadParameter(f"{line} is no line.", param_hint="--line")
    folder = folder_of(Work.DIGITS, images, ROOT / "build" / "speed" / "works")
    output.parent.mkdir(parents=True, exist_ok=True)
    with opened(line) as measure:
        measure(folder)
        watched = _worker_process()
        recorder = subprocess.Popen(
            [_recorder(), "record", f"--pid={watched}", f"--rate={_RATE}", f"--output={output}", "--format=flamegraph"],
            stdin=subprocess.DEVNULL,
        )
        runs = [measure(folder) for _ in range(jobs)]
        recorder.send_signal(signal.SIGINT)
        if recorder.wait() != 0:
            raise LineError(
                "py-spy has failed.", mend="It may need the right to trace other processes: run it as root."
            )
    print(f"{output}: {sum(run.images for run in runs):,} images in {sum(run.seconds for run in runs):.1f} s")


def _recorder() -> str:
    found = shutil.which("py-spy", path=Path(sys.executable).parent) or shutil.which("py-spy")
    if found is None:
        raise LineError("There is no py-spy.", mend="`make profile` installs it.")
    return found


def _worker_process() -> int:
    """A process of the pool: a child of a child of the line that has children no more."""
    processes = psutil.Process().children(recursive=True)
    pool = [one for one in processes if "worker" in one.cmdline() and not one.children()]
    if not pool:
        raise LineError("The line has no worker process.")
    return int(pool[0].pid)


def main() -> None:
    """Run the command line; an error that a person can mend is one line on stderr."""
    try:
        typer.run(profile)
    except DigitlineError as error:
        print(f"{error} {error.mend}".strip(), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
