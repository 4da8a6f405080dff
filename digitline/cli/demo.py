"""The verb `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.settings import get_settings
from digitline import demo as demonstration
from digitline.cli.options import Json


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline demo --images 1000")(demo)


def demo(
    images: Annotated[int, typer.Option(min=1, max=10_000, help="Sample digits to score.")] = 10_000,
    output: Annotated[Path, typer.Option(help="HTML page to write, with plots.")] = Path("report.html"),
    json: Json = False,
) -> None:
    """Score the MNIST test digits through the line: accounts, accuracy, confusion matrix, report; then stop.

    What it scored stays in the home, for `digitline status`, `results` and `report` to show.
    """
    raise typer.Exit(demonstration.demo(get_settings(), images=images, page=output, json=json))
