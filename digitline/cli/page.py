"""The verb that writes a page about a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.ledger import jobs as ledger
from digitline.cli.lazy import Later
from digitline.cli.options import JobReference
from digitline.cli.screen import busy, screen
from digitline.client import ready_line

if TYPE_CHECKING:
    from digitline import report as pages
else:
    pages = Later("digitline.report")


def report(
    job: JobReference,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="HTML file to write; default: report-JOB.html here.")
    ] = None,
) -> None:
    """Write one HTML page about a job, which loads nothing from anywhere and prints well.

    Accounts, accuracy and the confusion matrix where true labels are known, confidences, rejected images with
    reasons, the worst mistakes with their pictures, rates and the model. A job that still runs shows what it has.
    """
    database = ready_line().database
    found = ledger.find(database, job)
    with busy("Writing the report"):
        written = pages.write_report(database, found, output or Path(f"report-{found.id}.html"))
    screen().print(f"Report of job {found.id}: {written}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline report 12 --output scans.html")(report)
