"""The verb that prints what was found, image by image."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from digitline import client, export
from digitline.cli.lazy import Later
from digitline.cli.options import JobReference
from digitline.handle import Only

if TYPE_CHECKING:
    from digitline import parquet
else:
    parquet = Later("digitline.parquet")


class Format(StrEnum):
    """The forms that results come in."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def results(
    job: JobReference,
    form: Annotated[Format, typer.Option("--format", help="json prints one object a line.")] = Format.TABLE,
    only: Annotated[Only | None, typer.Option(help="A status or a verdict; default: all.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; replaced in one step; default: stdout.")] = None,
) -> None:
    """Print what was found, image by image, in the order of the folder.

    Of every image: path (relative to the folder), status (scored or rejected), label, confidence, verdict (digit,
    uncertain or not_a_digit where it was scored; blank, low_contrast or several where there was nothing to score),
    true_label where it is known, the reason where it was rejected, the model, each digit of a string, and what a person
    said in review (the digit, not_a_digit, several or a string), by which the true label goes.
    A job that still runs shows what it has so far.
    """
    handle = client.job(job)
    found = handle.results(only)
    if form is Format.PARQUET:
        if output is None:
            raise typer.BadParameter("parquet is a file's format; add --output FILE.", param_hint="--format")
        with export.replacing(output) as draft:
            parquet.write_parquet(found, draft)
        return
    write = {Format.TABLE: export.write_table, Format.CSV: export.write_csv, Format.JSON: export.write_json}[form]
    with _opened(output) as stream:
        write(found, stream)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline results 12 --only rejected --format csv --output rejected.csv")(results)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with export.replacing(output) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        yield stream
