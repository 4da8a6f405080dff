"""`python -m benchmarks.latency`: how long one image takes, on an idle line and while a bulk job runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.latency.measure import Latency, measure, of_the_line
from benchmarks.speed.machine import facts
from benchmarks.speed.peers import line, postgresql
from benchmarks.speed.rounds import ROOT
from core.errors import DigitlineError
from digitline.bar import step_bar
from digitline.cli.screen import screen, table
from digitline.client import JobHandle, submit
from digitline.samples import write_samples

#: Worker processes, as many as the machine of the published figures has cores.
_PROCESSES = 2
#: How many images a sample is of.
_SAMPLES = 10_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m benchmarks.latency --database postgresql --images 500")
def latency(
    images: Annotated[int, typer.Option(min=20, help="Images that are submitted, one after the other.")] = 200,
    bulk: Annotated[int, typer.Option(min=0, help="Images of the job that runs meanwhile; 0: leave it out.")] = 100_000,
    database: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "sqlite",
    output: Annotated[Path, typer.Option(help="File of the result.")] = ROOT / "build" / "latency.json",
) -> None:
    """Submit images one by one, and say how long each takes until its row is committed."""
    if database not in ("sqlite", "postgresql"):
        raise typer.BadParameter("There are sqlite and postgresql.", param_hint="--database")
    with TemporaryDirectory(prefix="digitline-latency-") as temporary, _line(Path(temporary), database):
        folder = Path(temporary)
        singles = _singles(folder / "singles", 2 * images)
        found = [_timed("idle", [next(singles) for _ in range(images)], lambda: None)]
        if bulk:
            job = submit(_many(folder / "bulk", bulk))
            found.append(_timed("beside a bulk job", [next(singles) for _ in range(images)], lambda: _runs(job)))
            job.cancel()
    output.parent.mkdir(parents=True, exist_ok=True)
    record = {"machine": facts(), "database": database, "latencies": [one.as_record() for one in found]}
    output.write_text(json.dumps(record, indent=1) + "\n")
    columns = ("line", "images", "p50 ms", "p95 ms", "slowest ms", "target p95 ms")
    screen().print(table(columns, (one.as_row() for one in found), numbers=columns[1:]))


def main() -> None:
    """Run the command line; an error that a person can mend is one line on stderr."""
    try:
        app(prog_name="python -m benchmarks.latency")
    except DigitlineError as error:
        print(f"{error} {error.mend}".strip(), file=sys.stderr)
        sys.exit(1)


@contextmanager
def _line(home: Path, database: str) -> Iterator[None]:
    """Run a warm line in a home of its own; this process is its client."""
    with of_the_line(home / "home", _PROCESSES) as use:
        if database == "sqlite":
            with line.up(home / "home", flower=False, processes=_PROCESSES):
                yield
            return
        with postgresql.running() as url:
            use(DATABASE_URL=url)
            with line.up(home / "home", flower=False, processes=_PROCESSES):
                yield


def _timed(name: str, folders: list[Path], check: Callable[[], None]) -> Latency:
    with step_bar() as bar:
        task = bar.add_task(name, total=len(folders))
        seconds = []
        for folder in folders:
            seconds.append(measure(folder))
            check()
            bar.advance(task)
    return Latency(name, seconds)


def _runs(job: JobHandle) -> None:
    """See to it that the bulk job runs still: an image beside a job that is over would be one on an idle line."""
    if job.refresh().state.ended:
        raise DigitlineError("The bulk job was over too soon.", mend="Give --bulk more images.")


def _singles(folder: Path, count: int) -> Iterator[Path]:
    """Folders of one image each."""
    write_samples(folder / "all", min(count, _SAMPLES))
    for number, image in enumerate(sorted((folder / "all").rglob("*.png"))):
        alone = folder / f"{number:05}"
        alone.mkdir()
        image.rename(alone / image.name)
        yield alone


def _many(folder: Path, count: int) -> Path:
    """A folder of so many images, hard links to the samples."""
    samples = folder.with_name("samples")
    write_samples(samples, _SAMPLES)
    images = sorted(samples.rglob("*.png"))
    rounds = (((turn, image) for image in images) for turn in range(-(-count // len(images))))
    for number, (turn, image) in enumerate(chain.from_iterable(rounds)):
        if number >= count:
            break
        target = folder / str(turn) / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(image)
    return folder


if __name__ == "__main__":
    main()
