"""The verbs about what people said of images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, TypeAlias

import typer

from core.database import Database
from core.ledger import corrected as ledger
from core.ledger import jobs as job_ledger
from core.ledger import takeover, tallies
from core.ledger.takeover import Taken
from core.plain import printable
from core.settings import get_settings
from digitline import client, export, imported
from digitline.cli.lazy import Later
from digitline.cli.options import Json, JsonLines
from digitline.cli.screen import counted, facts, moment, screen, table, tell
from digitline.records import as_json
from digitline.who import user_name

if TYPE_CHECKING:
    from digitline import corrected
else:
    corrected = Later("digitline.corrected")

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="JSON as Label Studio exports it, or a table with the columns path and label."),
]

#: Writes reviewed images in one of the forms that are a file.
Writer: TypeAlias = "Callable[[Iterable[ledger.Reviewed], IO[str]], corrected.Exported]"

verbs = typer.Typer(no_args_is_help=True, help="List, export and import what people said of images.")


class Format(StrEnum):
    """The forms that corrections come in."""

    FOLDERS = "folders"
    CSV = "csv"
    LABEL_STUDIO = "label-studio"


Job = Annotated[str | None, typer.Argument(metavar="JOB", help="Its number, or its name: the newest of that name.")]
All = Annotated[bool, typer.Option("--all", help="Of all jobs.")]


@verbs.command("list", epilog="Example: digitline corrections list 12")
def list_corrections(
    job: Job = None,
    every: All = False,
    json: JsonLines = False,
) -> None:
    """List the words that stand: image by image, and how many by class and by reviewer."""
    database, jobs = _chosen(job, every)
    if json:
        for one in ledger.every(database, jobs):
            said = {"word": str(one.word), "reviewed_by": one.reviewed_by, "reviewed_at": one.reviewed_at.isoformat()}
            print(as_json({"job": one.job_id, "path": one.path, **said, "predicted": one.predicted}))
        return
    rows = (
        (str(one.job_id), str(one.word), _shown(one.predicted), one.reviewed_by, moment(one.reviewed_at), one.path)
        for one in ledger.every(database, jobs)
    )
    console = screen()
    console.print(table(("job", "word", "was read as", "by", "at", "path"), rows, numbers=("job",)))
    tally = tallies.tally(database, jobs)
    by_class = ", ".join(f"{word} {images:,}" for word, images in tally.by_class.items())
    by_reviewer = ", ".join(f"{name} {images:,}" for name, images in tally.by_reviewer.items())
    console.print()
    console.print(facts([("images", f"{tally.images:,}"), ("by class", by_class), ("by reviewer", by_reviewer)]))


@verbs.command("export", epilog="Example: digitline corrections export 12 --format folders --output reviewed/")
def export_corrections(
    job: Job = None,
    every: All = False,
    form: Annotated[
        Format,
        typer.Option("--format", help="Class folders of the files, a labels.csv, or tasks for Label Studio."),
    ] = Format.FOLDERS,
    output: Annotated[
        Path | None, typer.Option(help="New folder, or file, to write; default for a file: stdout.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was exported as a JSON object, on stderr.")] = False,
) -> None:
    """Export reviewed images as people said; of a file that several jobs hold, the last word counts.

    As folders the files are copied, each checked to be the very bytes that were scored. Where one is missing or has
    changed, it is named, the others are exported, and the exit code is 1.
    """
    images = corrected.reviewed_images(*_chosen(job, every))
    if form is Format.FOLDERS:
        if output is None:
            raise typer.BadParameter("folders need a place; add --output FOLDER.", param_hint="--format")
        exported = corrected.write_folders(images, output, get_settings())
    else:
        write = corrected.write_table if form is Format.CSV else corrected.write_label_studio
        exported = _written(write, images, output)
    _tell(exported, json)
    if exported.missing:
        raise typer.Exit(1)


@verbs.command("import", epilog="Example: digitline corrections import label-studio.json")
def import_corrections(
    file: File,
    job: Job = None,
    by: Annotated[str | None, typer.Option(help="Who said what names nobody; default: the user's name.")] = None,
    json: Json = False,
) -> None:
    """Take over what people said elsewhere, with who said it and when; a second time changes nothing.

    A word that names no job of its own is of the job that is named here. What somebody said here since stays.
    """
    database = client.ready_line().database
    unsaid = imported.Unsaid(None if job is None else job_ledger.find(database, job).id, by or user_name())
    found = takeover.take_over(database, imported.read(file, unsaid))
    kept, known, older = (f"{found[taken]:,}" for taken in (Taken.KEPT, Taken.KNOWN, Taken.OLDER))
    said = f"{kept} taken over, {known} known already, {older} older than what was said here since."
    tell({taken.value: count for taken, count in found.items()}, said, json=json)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(verbs, name="corrections")


def _chosen(job: str | None, every: bool) -> tuple[Database, list[int] | None]:
    """The ledger, and the jobs that are meant; None: all of them."""
    if every == (job is not None):
        raise typer.BadParameter("Name a job, or say --all.", param_hint="JOB")
    database = client.ready_line().database
    return database, None if job is None else [job_ledger.find(database, job).id]


def _written(write: Writer, images: list[ledger.Reviewed], output: Path | None) -> corrected.Exported:
    if output is None:
        return write(images, sys.stdout)
    # Names come back byte by byte, also those that are no UTF-8.
    with (
        export.replacing(output) as draft,
        draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        return write(images, stream)


def _tell(exported: corrected.Exported, json: bool) -> None:
    images = exported.images.total()
    if json:
        missing = [{"path": path, "why": why} for path, why in exported.missing]
        told = {"images": images, "by_class": dict(exported.images), "left_out": exported.left_out, "missing": missing}
        print(as_json(told), file=sys.stderr)
        return
    console = screen(stderr=True)
    for path, why in exported.missing:
        console.print(printable(f"Left out: {path}: {why}"))
    console.print(f"{counted(images, 'image')} exported.")
    if exported.left_out:
        console.print(f"{exported.left_out:,} show no single digit, and a table of labels has no word for them.")


def _shown(predicted: int | str | None) -> str:
    return "" if predicted is None else str(predicted)
