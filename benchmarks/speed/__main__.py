"""`python -m benchmarks.speed`: how fast the line is, beside a bare loop and beside other ways to do the same work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import run
from benchmarks.speed.candidates import CANDIDATES, Candidate, Work
from benchmarks.speed.chart import write_chart
from benchmarks.speed.figures import figures, ratios
from benchmarks.speed.rounds import ROOT, Folders, Turn, missing_packages, take_turn
from benchmarks.speed.table import as_record, print_findings
from benchmarks.speed.work import folder_of, read_once
from digitline.bar import step_bar
from digitline.cli.data import writable_folder
from digitline.cli.options import Json
from digitline.cli.screen import screen
from digitline.records import as_json

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: What is measured by `--quick`: enough to see that everything runs.
_QUICK = ("roofline", "line-sqlite")
_QUICK_IMAGES = 1000
#: Images that a candidate reads before the clock begins, two batches a process.
_WARM_UP = 1024
#: Where folders of images and logs are kept.
_BUILD = ROOT / "build" / "speed"


@app.command(epilog="Example: python -m benchmarks.speed --only roofline --only line-sqlite --repetitions 9")
def speed(
    images: Annotated[int, typer.Option(min=1, max=10_000, help="Images in a folder; of photos a twentieth.")] = 10_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Rounds in which every candidate has its turn.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="A candidate; may be given several times.")] = None,
    work: Annotated[list[Work] | None, typer.Option(help="A work; may be given several times.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="1,000 digits once, through the bare loop and the line: does it all run?")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder of results.json and speed.png; default: benchmarks/ of a whole run.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the line and its peers side by side, and say how much faster it is."""
    if quick:
        images, repetitions, only, work = min(images, _QUICK_IMAGES), 1, only or [*_QUICK], work or [Work.DIGITS]
    candidates, works = _chosen(only or []), list(dict.fromkeys(work or Work))
    whole = not (only or work)
    folder = writable_folder(output or (ROOT / "benchmarks" if whole else _BUILD), "--output")
    turns: list[Turn] = []
    for done, turns_of_round in enumerate(_rounds(candidates, works, images, repetitions), start=1):
        turns += turns_of_round
        # After every round, so that what ends the bench early does not cost what is measured.
        found = figures(turns)
        record = as_record(found, ratios(found), done)
        (folder / "results.json").write_text(dumps(record, indent=1) + "\n")
        write_chart(found, folder / "speed.png")
    if json:
        print(as_json(record))
    else:
        print_findings(screen(), found, ratios(found))


def main() -> None:
    """Run the command line."""
    run(app, "benchmarks.speed")


def _chosen(names: Sequence[str]) -> list[Candidate]:
    unknown = sorted(set(names) - set(CANDIDATES))
    if unknown:
        raise typer.BadParameter(
            f"There is no candidate {', '.join(unknown)}. There are: {', '.join(CANDIDATES)}.", param_hint="--only"
        )
    chosen = [candidate for name, candidate in CANDIDATES.items() if not names or name in names]
    if missing := missing_packages(chosen):
        raise typer.BadParameter(f"{', '.join(missing)} must be installed, as `make bench` does.", param_hint="--only")
    return chosen


def _rounds(
    candidates: Sequence[Candidate], works: Sequence[Work], images: int, repetitions: int
) -> Iterator[list[Turn]]:
    """Have every candidate take its turn, round after round."""
    folders = Folders(partial(folder_of, below=_BUILD / "works"), images, warm_up=min(images, _WARM_UP))
    for work in works:
        read_once(folders.of(work, images))
    with step_bar() as bar:
        task = bar.add_task("start", total=repetitions * len(candidates))
        for _ in range(repetitions):
            turns: list[Turn] = []
            for candidate in candidates:
                bar.update(task, description=candidate.name)
                turns += take_turn(candidate, works, folders, _BUILD / "logs")
                bar.advance(task)
            yield turns


if __name__ == "__main__":
    main()
