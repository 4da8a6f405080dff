"""`python -m benchmarks.pictures`: how many pictures are read right, of those that people send."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import cv2
import typer

from benchmarks.command import run
from benchmarks.pictures.bench import Reading, Row, number_made, read_clean, read_generator
from benchmarks.pictures.catalogue import GENERATORS, Generator, Kind
from benchmarks.pictures.measures import measures
from benchmarks.pictures.sheets import write_sheet
from benchmarks.pictures.table import as_record, print_findings
from digitline.bar import image_bar
from digitline.cli.data import find_data, writable_folder
from digitline.cli.options import Data, Json
from digitline.cli.screen import screen
from digitline.records import as_json
from training.dataset import Digits, load_mnist, load_test_digits, split

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Part(StrEnum):
    """Which of MNIST's digits are drawn on."""

    #: The shipped model did not learn from them; those that it learned from flatter it (0.2 points of loss, not 2).
    VALIDATION = "validation"
    TEST = "test"


@app.command(epilog="Example: python -m benchmarks.pictures --data mnist/ --sheets sheets/")
def pictures(
    data: Data = None,
    digits: Annotated[
        Part,
        typer.Option(help="Digits to draw on: `validation` while something is being developed, `test` to publish."),
    ] = Part.TEST,
    count: Annotated[int, typer.Option(min=1, help="Pictures of each generator; of large ones fewer are made.")] = 500,
    only: Annotated[list[str] | None, typer.Option(help="A generator; may be given several times.")] = None,
    sheets: Annotated[Path | None, typer.Option(help="Folder for a contact sheet of each generator.")] = None,
    json: Json = False,
) -> None:
    """Make pictures of digits as people send them, read them as Digitline does, and say how many are read right."""
    cv2.setNumThreads(1)
    generators = _chosen(only or [])
    folder = None if sheets is None else writable_folder(sheets, "--sheets")
    source = find_data(data)
    drawn_on = load_test_digits(source) if digits is Part.TEST else split(load_mnist(source).train).validation
    clean, rows = _read_all(generators, drawn_on, count, folder)
    found = measures(clean, rows)
    if json:
        print(as_json({"digits": digits.value, **as_record(clean, rows, found)}))
    else:
        print_findings(screen(), clean, rows, found)


def main() -> None:
    """Run the command line."""
    run(app, "benchmarks.pictures")


def _chosen(names: list[str]) -> list[Generator]:
    unknown = sorted(set(names) - set(GENERATORS))
    if unknown:
        raise typer.BadParameter(
            f"There is no generator {', '.join(unknown)}. There are: {', '.join(GENERATORS)}.", param_hint="--only"
        )
    return [GENERATORS[name] for name in dict.fromkeys(names or GENERATORS)]


def _read_all(
    generators: list[Generator], digits: Digits, count: int, folder: Path | None
) -> tuple[list[Reading], list[Row]]:
    compared = any(generator.kind in (Kind.STRESS, Kind.STYLE) for generator in generators)
    rows = []
    with image_bar() as bar:
        total = count * compared + sum(number_made(generator, count) for generator in generators)
        task = bar.add_task("clean", total=total)

        def note() -> None:
            bar.advance(task)

        clean = read_clean(digits, count, note) if compared else []
        for generator in generators:
            bar.update(task, description=generator.name)
            rows.append(read_generator(generator, digits, count, clean, note))
            if folder is not None:
                write_sheet(folder, rows[-1], digits)
    return clean, rows


if __name__ == "__main__":
    main()
