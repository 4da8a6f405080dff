"""The verb that hands a folder over to the line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from core.errors import JobFailed, JobPaused
from core.vocabulary import PRIORITIES, Labels, Trigger
from digitline import client
from digitline.cli.options import Json, LabelsFrom, MaxRejected, OnQueue, Queue, Split
from digitline.cli.screen import counted, tell
from digitline.cli.status import summary_of
from digitline.handle import JobHandle
from digitline.records import job_record

Folder = Annotated[
    str, typer.Argument(metavar="FOLDER", help="Folder that holds the images, at any depth; or s3://bucket/prefix.")
]
Name = Annotated[str | None, typer.Option(help="Name of the job; default: the folder's.")]
Priority = Annotated[
    int,
    typer.Option(
        min=PRIORITIES[0], max=PRIORITIES[-1], help="Of what waits, the highest first; `digitline priority` alters it."
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is scored; exit code 1 if it fails.")]


def submit(
    folder: Folder,
    name: Name = None,
    labels: LabelsFrom = Labels.AUTO,
    queue: OnQueue = Queue.AUTO,
    split: Split = None,
    max_rejected: MaxRejected = None,
    priority: Priority = 0,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Hand a folder of images over to the line.

    The images stay where they are and are never altered. Returns as soon as the job is queued.
    """
    job = client.submit(
        folder,
        name=name,
        labels=labels,
        queue=queue.value,
        split=split,
        max_rejected=max_rejected,
        priority=priority,
        triggered_by=Trigger.CLI,
    )
    queued = f"Job {job.id}: {counted(job.accounts.found, 'image')} queued. See `digitline status {job.id}`."
    if wait:
        _wait_and_show(job, queued, json)
    else:
        tell(job_record(job.record), queued, json=json)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline submit scans/ --labels folders --wait")(submit)


def _wait_and_show(job: JobHandle, queued: str, json: bool) -> None:
    try:
        print(queued, file=sys.stderr, flush=True)
        job.wait(progress=sys.stderr.isatty())
    except (JobFailed, JobPaused):
        tell(job_record(job.record), summary_of(job.record), json=json)
        raise
    except KeyboardInterrupt:
        told = f"Job {job.id} goes on. `digitline status {job.id}` shows it, `digitline cancel {job.id}` stops it."
        print(told, file=sys.stderr)
        raise
    tell(job_record(job.record), summary_of(job.record), json=json)
