"""The line for scripts: submit a folder, find a job again."""

from __future__ import annotations

import os

from core.ledger import jobs as job_ledger
from core.sources import source_of
from core.vocabulary import Labels, QueueName, Trigger
from digitline.connection import open_line
from digitline.handle import JobHandle, check_priority, check_share
from scheduler import producer
from scheduler.producer import Line


def submit(
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    labels: Labels | str = Labels.AUTO,
    queue: QueueName | str = "auto",
    split: bool | None = None,
    max_rejected: float | None = None,
    priority: int = 0,
    triggered_by: Trigger = Trigger.SCRIPT,
) -> JobHandle:
    """Hand a folder of images over to the line; returns as soon as it is queued.

    What is beyond the window of Redis waits in the ledger until the scheduler sends it.

    Args:
        folder: holds the images, at any depth: a path, under which every host of the line must see it, or as text
            `s3://bucket/prefix`, which every process of the line must be allowed to list and read.
        name: for people; default: the folder's name.
        labels: where true labels come from: `auto`, `folders` (`0/` to `9/`), `csv` (labels.csv) or `none`.
        queue: `express`, `bulk` or `auto`, which is express for a small folder.
        split: whether a picture of several digits is read as one string; default: the setting `split`.
        max_rejected: share of the images, 0 to 1, that may be rejected or quarantined before the job pauses; default:
            the setting `max_rejected`.
        priority: -9 to 9; of what waits in the ledger, the highest is sent first.
        triggered_by: who asked.

    Raises:
        SubmissionError: the folder cannot become a job.
        LedgerUnreachable, RevisionMismatch, QueueUnreachable, StoreUnreachable: the line, or the object store, is not
            there. Nothing was queued.
        ValueError: `labels` or `queue` is none of the words above, `max_rejected` no share, or
            `priority` none of these.
    """
    check_share(max_rejected)
    check_priority(priority)
    line = open_line()
    job = producer.submit(
        line,
        source_of(folder),
        name=name,
        labels=Labels(labels),
        queue=None if queue == "auto" else QueueName(queue),
        split=split,
        max_rejected=max_rejected,
        priority=priority,
        triggered_by=triggered_by,
    )
    return JobHandle(line, job)


def job(reference: int | str) -> JobHandle:
    """The job of that id, or the newest of that name.

    Raises:
        JobNotFound: there is none.
    """
    line = ready_line()
    return JobHandle(line, job_ledger.find(line.database, str(reference)))


def jobs(limit: int = 50) -> list[JobHandle]:
    """The newest jobs, the newest first."""
    line = ready_line()
    return [JobHandle(line, record) for record in job_ledger.newest(line.database, limit)]


def ready_line() -> Line:
    """The line, once its ledger is found to be of this version.

    Raises:
        LedgerUnreachable, RevisionMismatch: it does not answer, or is of another version.
    """
    line = open_line()
    line.database.check_revision()
    return line
