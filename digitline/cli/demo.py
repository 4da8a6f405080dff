"""The verb `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.settings import get_settings
from digitline import demo as demonstration


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("demo")(demo)


def demo(
    images: Annotated[int, typer.Option(min=1, max=10_000, help="Sample digits to score.")] = 10_000,
    report: Annotated[Path, typer.Option(help="Where the page with the plots goes.")] = Path("report.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Score the MNIST test digits through the line: accounts, accuracy, confusion matrix, report; then stop.

    What it scored stays in the home, for `digitline status`, `results` and `report` to show.
    """
    raise typer.Exit(demonstration.demo(get_settings(), images=images, report=report, as_json=as_json))
