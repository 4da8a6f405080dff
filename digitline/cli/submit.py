"""The verb that hands a folder over to the line."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from core.errors import JobFailed, JobPaused
from core.vocabulary import PRIORITIES, Labels, Trigger
from digitline import client
from digitline.cli.screen import screen
from digitline.cli.status import summary_of
from digitline.handle import JobHandle
from digitline.records import as_json, job_record


class Queue(StrEnum):
    """The queues one may ask for."""

    AUTO = "auto"
    EXPRESS = "express"
    BULK = "bulk"


def submit(
    folder: Annotated[str, typer.Argument(help="Folder that holds the images, at any depth; or s3://bucket/prefix.")],
    name: Annotated[str | None, typer.Option(help="Name of the job; default: the folder's.")] = None,
    labels: Annotated[
        Labels, typer.Option(help="Where true labels come from: class folders 0/ to 9/, or labels.csv (path,label).")
    ] = Labels.AUTO,
    queue: Annotated[Queue, typer.Option(help="auto: express for a small folder, bulk for a large one.")] = Queue.AUTO,
    split: Annotated[
        bool | None,
        typer.Option(help="Read several digits in a picture as one string; default: DIGITLINE_SPLIT, else no."),
    ] = None,
    max_rejected: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Pause once more than this share of the images is refused; default: DIGITLINE_MAX_REJECTED, else never.",
        ),
    ] = None,
    priority: Annotated[
        int,
        typer.Option(
            min=PRIORITIES[0],
            max=PRIORITIES[-1],
            help="Of what waits, the highest first; `digitline priority` alters it.",
        ),
    ] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is scored; exit code 1 if it fails.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the job as a JSON object.")] = False,
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
    if wait:
        _wait_and_show(job, json)
    elif json:
        print(as_json(job_record(job.record)))
    else:
        found = "1 image" if job.accounts.found == 1 else f"{job.accounts.found:,} images"
        screen().print(f"Job {job.id}: {found} queued. See `digitline status {job.id}`.")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline submit scans/ --labels folders --wait")(submit)


def _wait_and_show(job: JobHandle, json: bool) -> None:
    failure: JobFailed | JobPaused | None = None
    try:
        job.wait(progress=sys.stderr.isatty())
    except (JobFailed, JobPaused) as error:
        failure = error
    if json:
        print(as_json(job_record(job.record)))
    else:
        screen().print(summary_of(job.record))
    if failure is not None:
        raise failure
