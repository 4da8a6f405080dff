"""The verbs that stop a job or the whole line, let it go on, move a job ahead, and give it a new chance."""

from __future__ import annotations

from typing import Annotated

import typer

from core.ledger import pauses
from core.vocabulary import PRIORITIES
from digitline import client
from digitline.cli.options import JobReference, Json
from digitline.cli.screen import tell
from digitline.handle import JobHandle, send_waiting
from digitline.records import job_record, pause_record
from digitline.who import user_name
from scheduler.producer import Line

ReferenceOrAll = Annotated[
    str | None, typer.Argument(metavar="JOB", help="Its number or its name; or none, and --all.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="The whole line: every job, also those to come.")]


def retry(job: JobReference, json: Json = False) -> None:
    """Score again what was quarantined, or open when the job was cancelled.

    An image that was quarantined alone has its batch scored anew with it; every other batch stays as it is.
    """
    handle = client.job(job).retry()
    _show(handle, json, f"Job {handle.id}: {handle.accounts.open:,} images are queued again.")


def cancel(job: JobReference, json: Json = False) -> None:
    """Stop a job; what is scored stays scored, the rest can be taken up again by `digitline retry`."""
    handle = client.job(job).cancel()
    _show(handle, json, f"Job {handle.id} is cancelled; {handle.accounts.open:,} images stay open.")


def pause(
    job: ReferenceOrAll = None,
    everything: All = False,
    reason: Annotated[str | None, typer.Option(help="Why; `digitline status` shows it.")] = None,
    json: Json = False,
) -> None:
    """Let nothing more of a job, or of the whole line, be scored until `digitline resume`.

    What is being scored ends. While the line is paused, drops still become jobs; nothing is lost.
    """
    if _is_the_line(job, everything):
        line = client.ready_line()
        paused = pauses.pause_line(line.database, by=user_name(), reason=reason)
        _show_line(line, json, f"The line is {paused}. What is being scored ends.")
    else:
        handle = client.job(str(job)).pause(reason=reason)
        _show(handle, json, f"Job {handle.id} is {handle.record.error}. What is being scored ends.")


def resume(
    job: ReferenceOrAll = None,
    everything: All = False,
    max_rejected: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of its images that it may have refused from now on; default: see above."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Let a job that is paused, or the whole line, go on.

    A job that paused since more of it was refused than `--max-rejected` allows may have any share refused from now on,
    unless you say otherwise. One that a person paused keeps its share. With `--all`, jobs that were paused by
    themselves stay so.
    """
    if not _is_the_line(job, everything):
        handle = client.job(str(job)).resume(max_rejected=max_rejected)
        _show(handle, json, f"Job {handle.id} goes on; {handle.accounts.open:,} images are open.")
        return
    if max_rejected is not None:
        raise typer.BadParameter("--max-rejected is about one job.")
    line = client.ready_line()
    paused = pauses.resume_line(line.database)
    send_waiting(line)
    _show_line(line, json, f"The line goes on; it was {paused}.")


def priority(
    job: JobReference,
    number: Annotated[
        int,
        typer.Argument(metavar="NUMBER", min=PRIORITIES[0], max=PRIORITIES[-1], help="0 at first; higher goes first."),
    ],
    json: Json = False,
) -> None:
    """Move a job before all jobs of a lower priority; what Redis holds of them already is scored first."""
    handle = client.job(job).set_priority(number)
    _show(handle, json, f"Job {handle.id} has priority {handle.record.priority}.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Example: digitline retry 12")(retry)
    app.command(epilog="Example: digitline cancel 12")(cancel)
    app.command(epilog="Examples: digitline pause 12    digitline pause --all --reason 'new disks'")(pause)
    app.command(epilog="Examples: digitline resume 12 --max-rejected 0.2    digitline resume --all")(resume)
    # Else a negative number would be taken for an option.
    negative = {"ignore_unknown_options": True}
    app.command(epilog="Examples: digitline priority 12 5    digitline priority 12 -5", context_settings=negative)(
        priority
    )


def _show(handle: JobHandle, json: bool, sentence: str) -> None:
    tell(job_record(handle.record), sentence, json=json)


def _is_the_line(job: str | None, everything: bool) -> bool:
    """Whether the whole line is meant, and not a job."""
    if everything == (job is not None):
        raise typer.BadParameter("Name a job, or say --all.")
    return everything


def _show_line(line: Line, json: bool, sentence: str) -> None:
    tell({"paused": pause_record(pauses.of_line(line.database))}, sentence, json=json)
