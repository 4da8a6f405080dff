"""The verb that keeps a person's word on an image."""

from __future__ import annotations

from typing import Annotated

import typer

from core.vocabulary import DIGITS
from digitline import client
from digitline.cli.screen import screen
from digitline.records import as_json


def correct(
    job: Annotated[str, typer.Argument(help="Its number, or its name: the newest of that name.")],
    path: Annotated[str, typer.Argument(help="The image, as `digitline results` names it.")],
    label: Annotated[int, typer.Argument(min=0, max=DIGITS - 1, help="The digit that it shows.")],
    by: Annotated[str | None, typer.Option(help="Who says so; default: the user's name.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the correction as a JSON object.")] = False,
) -> None:
    """Say which digit an image shows; `digitline train --corrections JOB` learns from it."""
    handle = client.job(job)
    kept = handle.correct(path, label, by=by)
    if json:
        print(as_json({"job": handle.id, "path": kept.path, "old_label": kept.old_label, "new_label": kept.new_label}))
        return
    before = "" if kept.old_label is None else f", not {kept.old_label}"
    screen().print(f"{kept.path} of job {handle.id} shows {kept.new_label}{before}.", markup=False)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline correct 12 scans/0042.png 7")(correct)
