"""`python -m benchmarks.scale`: a folder of a million images on its way through the line, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run
from benchmarks.scale import work
from benchmarks.scale.findings import Measured, print_findings
from benchmarks.scale.folder import BLOCK, make_linked_folder
from benchmarks.scale.servers import Kind, running
from benchmarks.scale.usage import usage
from core.database import Database
from core.settings import get_settings
from digitline.cli.screen import screen

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Processes that record, or score.
_PROCESSES = 2
#: Jobs of 10,000 images before the large one.
_SMALL_JOBS = 5


@app.command(epilog="Example: python -m benchmarks.scale --images 100000 --database sqlite")
def scale(
    images: Annotated[int, typer.Option(min=BLOCK, max=10_000_000, help="Images in the folder.")] = 1_000_000,
    database: Annotated[
        list[Kind] | None, typer.Option(help="One of them; default: both, one after the other.")
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Have a worker read every image, which takes minutes; default: made up.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Folder to make and to keep, or that is there; default: a temporary one.")
    ] = None,
) -> None:
    """Measure whether a million images cost the line more, by the image, than ten thousand."""
    console = screen()
    with _filled(folder, images) as filled:
        console.print(f"The images are hard links to the {BLOCK:,} samples, in sub-folders of {BLOCK:,}.")
        console.print(
            f"A worker of {_PROCESSES} processes reads every image.\n"
            if score
            else f"No image is read: {_PROCESSES} processes record made-up outcomes through the ledger.\n"
        )
        for kind in dict.fromkeys(database or Kind):
            print_findings(console, _measure(kind, filled, score=score))


def main() -> None:
    """Run the command line."""
    run(app, "benchmarks.scale")


@contextmanager
def _filled(folder: Path | None, images: int) -> Iterator[Path]:
    if folder is not None and folder.exists():
        yield folder
        return
    with TemporaryDirectory(prefix="digitline-images-") as temporary:
        chosen = folder or Path(temporary) / "scans"
        make_linked_folder(chosen, images)
        yield chosen


def _measure(kind: Kind, folder: Path, *, score: bool) -> Measured:
    with running(kind, _PROCESSES), work.scored() if score else work.made_up(_PROCESSES) as record:
        settings = get_settings()
        database = Database(settings.database)
        block = folder / "000"
        record(work.submit(block).job)  # which warms everybody up
        small = [record(work.submit(block).job) for _ in range(_SMALL_JOBS)]
        start = usage(settings, database)
        submitted = work.submit(folder)
        queued = usage(settings, database)
        recorded = record(submitted.job)
        ended = usage(settings, database)
        database.close()
        job = str(submitted.job)
        return Measured(
            kind,
            small,
            submitted,
            recorded,
            work.pages(submitted.job),
            {f"digitline results {job} | head -1": work.command_seconds("results", job)},
            {
                "submission and sweeps": queued.per_batch_since(start, submitted.batches),
                "recording": ended.per_batch_since(queued, submitted.batches),
            },
        )


if __name__ == "__main__":
    main()
