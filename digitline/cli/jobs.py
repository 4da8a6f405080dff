"""The verbs that stop a job, let it go on, and give it a new chance."""

from __future__ import annotations

from typing import Annotated

import typer

from digitline import client
from digitline.cli.screen import screen
from digitline.client import JobHandle
from digitline.records import as_json, job_record

Reference = Annotated[str, typer.Argument(help="Its number, or its name: the newest of that name.")]
Json = Annotated[bool, typer.Option("--json", help="Print the job as a JSON object.")]


def retry(job: Reference, json: Json = False) -> None:
    """Score again what was quarantined, or open when the job was cancelled.

    An image that was quarantined alone has its batch scored anew with it; every other batch stays as it is.
    """
    handle = client.job(job).retry()
    _show(handle, json, f"Job {handle.id}: {handle.accounts.open:,} images are queued again.")


def cancel(job: Reference, json: Json = False) -> None:
    """Stop a job; what is scored stays scored, the rest can be taken up again by `digitline retry`."""
    handle = client.job(job).cancel()
    _show(handle, json, f"Job {handle.id} is cancelled; {handle.accounts.open:,} images stay open.")


def resume(
    job: Reference,
    max_rejected: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of its images that it may have refused from now on; default: all."),
    ] = None,
    json: Json = False,
) -> None:
    """Let a job go on that is paused, since more of its images were refused than `--max-rejected` allows."""
    handle = client.job(job).resume(max_rejected=max_rejected)
    _show(handle, json, f"Job {handle.id} goes on; {handle.accounts.open:,} images are open.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Example: digitline retry 12")(retry)
    app.command(epilog="Example: digitline cancel 12")(cancel)
    app.command(epilog="Example: digitline resume 12 --max-rejected 0.2")(resume)


def _show(handle: JobHandle, json: bool, sentence: str) -> None:
    if json:
        print(as_json(job_record(handle.record)))
    else:
        screen().print(sentence)
