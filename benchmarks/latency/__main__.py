"""`python -m benchmarks.latency`: how long one image takes, on an idle line and while a bulk job runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run
from benchmarks.latency.measure import Latency, measure
from benchmarks.scale.folder import BLOCK, make_linked_folder
from benchmarks.speed.candidates import Line
from benchmarks.speed.machine import facts
from benchmarks.speed.peers import line
from benchmarks.speed.rounds import ROOT
from core.errors import DigitlineError
from digitline.bar import step_bar
from digitline.cli.screen import screen, table
from digitline.client import submit
from digitline.handle import JobHandle
from digitline.samples import write_samples

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
    with TemporaryDirectory(prefix="digitline-latency-") as temporary, line.opened(Line(database=database)):
        folder = Path(temporary)
        singles = _singles(folder / "singles", 2 * images)
        found = [_timed("idle", [next(singles) for _ in range(images)], lambda: None)]
        if bulk:
            make_linked_folder(folder / "bulk", bulk)
            job = submit(folder / "bulk")
            found.append(_timed("beside a bulk job", [next(singles) for _ in range(images)], lambda: _runs(job)))
            job.cancel()
    output.parent.mkdir(parents=True, exist_ok=True)
    record = {"machine": facts(), "database": database, "latencies": [one.as_record() for one in found]}
    output.write_text(json.dumps(record, indent=1) + "\n")
    columns = ("line", "images", "p50 ms", "p95 ms", "slowest ms", "target p95 ms")
    screen().print(table(columns, (one.as_row() for one in found), numbers=columns[1:]))


def main() -> None:
    """Run the command line."""
    run(app, "benchmarks.latency")


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
    write_samples(folder / "all", min(count, BLOCK))
    for number, image in enumerate(sorted((folder / "all").rglob("*.png"))):
        alone = folder / f"{number:05}"
        alone.mkdir()
        image.rename(alone / image.name)
        yield alone


if __name__ == "__main__":
    main()
