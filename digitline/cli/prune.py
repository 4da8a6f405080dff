"""The verb that removes jobs from the ledger which ended long ago."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated

import typer

from core.durations import as_text, duration
from core.errors import DigitlineError
from core.ledger import pruning
from core.ledger.pruning import Kept, Old, Rule
from digitline.cli.options import Json
from digitline.cli.screen import counted, screen
from digitline.client import ready_line
from digitline.records import as_json
from scheduler.pruning import Pruned
from scheduler.pruning import prune as prune_ledger

#: What is said of the jobs that are kept, and how to let them go.
_WHY = {
    Kept.CORRECTED: "people corrected images of them, from which training learns; --with-corrections removes them too",
    Kept.SCHEDULED: "an inbox in object storage knows by them what it has scored; --with-scheduled removes them too",
    Kept.UNFILED: "their drops are not filed yet",
    Kept.UNTOLD: "a hook is still to be told of them",
    Kept.NEWEST: "it is the newest, whose number the next one must not get",
}


def _length(text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error


OlderThan = Annotated[
    timedelta | None,
    typer.Option(
        parser=_length,
        metavar="LENGTH",
        help="How long ago a job ended at the least: 90d, 12h, 4w; default: DIGITLINE_RETENTION.",
        show_default=False,
    ),
]
WithCorrections = Annotated[
    bool, typer.Option("--with-corrections", help="Also jobs with corrections, and the corrections.")
]
WithScheduled = Annotated[
    bool,
    typer.Option(
        "--with-scheduled",
        help="Also jobs by which an inbox in object storage knows what it has scored; what still lies there is scored anew.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def prune(
    older_than: OlderThan = None,
    with_corrections: WithCorrections = False,
    with_scheduled: WithScheduled = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove from the ledger what is known of jobs that ended long ago: batches, results, counts.

    Files stay where they are, those in done/ and failed/ as well. Jobs are kept that have not ended or are not filed, of
    which a hook is still to be told, or that are needed to learn or to go on: corrected images, and what an inbox in
    object storage has scored. A schedule still knows its files. It may be interrupted, and goes on the next time.
    """
    line = ready_line()
    length = older_than or line.settings.retention
    if length is None:
        raise typer.BadParameter("Say how long ago a job must have ended.", param_hint="--older-than")
    rule = Rule(length, with_corrections=with_corrections, with_scheduled=with_scheduled)
    old = pruning.old_jobs(line.database, rule)
    if not json:
        screen().print("\n".join(_what_is_old(old, length)))
    pruned = Pruned(0, 0, finished=True)
    if not dry_run and any(job.kept is None for job in old):
        _ask(yes=yes, json=json)
        pruned = prune_ledger(line.database, rule)
    if json:
        print(as_json(_record(old, length, pruned)))
    elif pruned.images:
        room = " SQLite uses the room again; `VACUUM` would give it back to the disk." if line.database.sqlite else ""
        screen().print(f"{counted(pruned.jobs, 'job')} of {pruned.images:,} images are removed; files stay.{room}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Examples: digitline prune --older-than 90d --dry-run    digitline prune --older-than 4w --yes")(
        prune
    )


def _ask(*, yes: bool, json: bool) -> None:
    if yes:
        return
    if json or not sys.stdin.isatty():
        raise DigitlineError("Nothing was removed, for nobody said --yes.", mend="Say --yes, or --dry-run.")
    typer.confirm("Remove them?", abort=True)


def _what_is_old(old: Sequence[Old], length: timedelta) -> Iterator[str]:
    going = [job for job in old if job.kept is None]
    images = sum(job.found for job in going)
    yield f"{counted(len(going), 'job')} of {images:,} images ended more than {as_text(length)} ago and may go."
    for kept, count in Counter(job.kept for job in old if job.kept is not None).items():
        yield f"Kept, {counted(count, 'job')} as old: {_WHY[kept]}."


def _record(old: Sequence[Old], length: timedelta, pruned: Pruned) -> dict[str, object]:
    going = [job for job in old if job.kept is None]
    return {
        "older_than_seconds": length.total_seconds(),
        "old": {"jobs": [job.id for job in going], "images": sum(job.found for job in going)},
        "kept": {why.value: [job.id for job in old if job.kept is why] for why in Kept},
        "removed": {"jobs": pruned.jobs, "images": pruned.images},
    }
