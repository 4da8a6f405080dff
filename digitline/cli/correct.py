"""The verb that keeps a person's word on an image."""

from __future__ import annotations

from typing import Annotated

import typer

from digitline import client
from digitline.cli.options import JobReference, Json
from digitline.cli.screen import screen
from digitline.handle import JobHandle
from digitline.records import as_json


def correct(
    job: JobReference,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The image, as `digitline results` names it.")],
    label: Annotated[
        str | None,
        typer.Argument(metavar="LABEL", help="The digit that it shows, not_a_digit, several, or a string like 1947."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last word; the one before it stands.")] = False,
    by: Annotated[str | None, typer.Option(help="Who says so; default: the user's name.")] = None,
    json: Json = False,
) -> None:
    """Say what an image shows: it counts from now on, and `digitline train --with-corrections` learns from it."""
    handle = client.job(job)
    if undo == (label is not None):
        raise typer.BadParameter("Say what the image shows, or --undo.", param_hint="LABEL")
    if label is None:
        _undo(handle, path, by, json)
        return
    try:
        kept = handle.correct(path, label, by=by)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="LABEL") from error
    if json:
        labels = {"old_label": kept.old_label, "new_label": kept.new_label, "word": str(kept.word)}
        print(as_json({"job": handle.id, "path": kept.path, **labels}))
        return
    before = "" if kept.old_label is None else f", not {kept.old_label}"
    screen().print(f"{kept.path} of job {handle.id} shows {_said(str(kept.word))}{before}.")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline correct 12 scans/0042.png 7")(correct)


def _undo(handle: JobHandle, path: str, by: str | None, json: bool) -> None:
    taken_back = handle.withdraw(path, by=by)
    if json:
        word = None if taken_back is None else str(taken_back.word)
        print(as_json({"job": handle.id, "path": path, "withdrawn": word}))
    elif taken_back is None:
        screen().print(f"Nobody has said anything of {path} of job {handle.id}.")
    else:
        screen().print(f"Taken back: {path} of job {handle.id} shows {_said(str(taken_back.word))}.")


def _said(word: str) -> str:
    return {"not_a_digit": "no digit", "several": "several digits"}.get(word, word)
