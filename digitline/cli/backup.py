"""The verbs that put the ledger and its models into one file, and bring them back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.plain import printable
from core.settings import get_settings
from digitline import backup as backups
from digitline.cli.options import Json
from digitline.cli.screen import counted, screen
from digitline.records import as_json


def backup(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="File to write, or a folder, where it is named after the moment.")
    ],
    json: Json = False,
) -> None:
    """Write the ledger and its models into one file, while the line runs.

    SQLite is copied by its online backup, PostgreSQL by `pg_dump`, each as it is at one moment. Redis needs no
    backup: what was queued is sent again from the ledger. Images are not in it.
    """
    # A disk that is not mounted must not get a file by the name of the folder.
    if path.endswith("/") and not Path(path).is_dir():
        raise typer.BadParameter(f"There is no folder {path}.", param_hint="PATH")
    written = backups.back_up(get_settings(), Path(path))
    manifest = written.manifest
    if json:
        print(as_json({"path": str(written.path), **asdict(manifest)}))
        return
    console = screen()
    models = counted(len(manifest.models), "model")
    console.print(f"{written.path} holds the ledger, at revision {manifest.revision}, and {models}.")
    for why in manifest.left_out.values():
        console.print(f"A model that nothing is scored by now is left out: {printable(why)}")


def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File that `digitline backup` wrote.")],
    json: Json = False,
) -> None:
    """Bring back a ledger and its models, in a home or database that holds no job yet.

    Every part is checked before anything is changed. The models are unpacked into models/ of the home, and the line
    goes on where it was: the sweep sends every open batch again. Unfinished jobs need their images under the same
    paths.
    """
    restored = backups.restore(get_settings(), path)
    if json:
        places = {sha256: str(folder) for sha256, folder in restored.models.items()}
        print(as_json({"ledger": restored.ledger, "models": places, "manifest": asdict(restored.manifest)}))
        return
    console = screen()
    console.print(f"{restored.ledger} is the ledger of {restored.manifest.created} again.")
    for folder in restored.models.values():
        console.print(f"A model is read from {folder}.")
    console.print("Start the line: what was queued is sent again from the ledger.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Example: digitline backup /backups/")(backup)
    app.command(epilog="Example: DIGITLINE_HOME=new-home digitline restore /backups/digitline-20261123T060000Z.zip")(
        restore
    )
