"""A folder becomes a job: rows first, then, after the commit, one message per batch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from celery import Celery

from core.crash import crash_point
from core.database import Database
from core.errors import QueueUnreachable
from core.ledger import batches, jobs
from core.queues import Inspector, make_app, send_batches
from core.settings import Settings
from core.sources import to_url
from core.vocabulary import Job, Labels, NewJob, QueueName, Trigger
from scheduler import folder as folders

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """The two servers a job needs, and the settings they were opened with."""

    settings: Settings
    database: Database
    app: Celery
    inspector: Inspector

    @classmethod
    def open(cls, settings: Settings) -> Line:
        """Name the servers; nothing is connected until it is needed.

        Raises:
            LedgerUnreachable: DIGITLINE_DATABASE_URL is no URL.
        """
        return cls(settings, Database(settings.database), make_app(settings), Inspector(settings))

    def close(self) -> None:
        """Let go of every connection; the line can still be used, and connects anew."""
        self.database.close()
        self.app.close()
        self.inspector.close()


def submit(
    line: Line,
    folder: Path,
    *,
    name: str | None = None,
    labels: Labels = Labels.AUTO,
    queue: QueueName | None = None,
    split: bool | None = None,
    max_rejected: float | None = None,
    triggered_by: Trigger,
    claim: str | None = None,
) -> Job:
    """Make a job of a folder and send its batches.

    Args:
        line: the servers.
        folder: holds the images, at any depth.
        name: for people; default: the folder's name.
        labels: where true labels come from.
        queue: default: `express` for a small job, `bulk` for a large one.
        split: whether a picture of several digits is read as one string; default: as the settings say.
        max_rejected: share of the images that may be refused before the job pauses, 0 to 1; default: as the settings
            say.
        triggered_by: who asked.
        claim: name of the folder under `claimed/`, for a drop of the inbox; it makes one job, ever.

    Raises:
        SubmissionError: the folder cannot become a job.
        RevisionMismatch: the ledger's schema is not this version's.
        LedgerUnreachable, QueueUnreachable: a server does not answer. Nothing was queued.
    """
    new = plan(
        line.settings,
        folder,
        name=name,
        labels=labels,
        queue=queue,
        split=split,
        max_rejected=max_rejected,
        triggered_by=triggered_by,
        claim=claim,
    )
    line.database.check_revision()
    line.inspector.ping()
    crash_point("producer.planned")
    job = jobs.create(line.database, new)
    crash_point("producer.committed")
    try:
        send_batches(line.app, batches.of_job(line.database, job.id))
    except QueueUnreachable as error:
        # The rows are committed, so the job is safe: the sweep sends what is missing as soon as Redis is back.
        log.warning("job %s is in the ledger, its messages follow later: %s", job.id, error)
    log.info("job %s '%s': %s images in %s batches, queue %s", job.id, job.name, new.found, job.batches, job.queue)
    return job


def plan(
    settings: Settings,
    folder: Path,
    *,
    name: str | None,
    labels: Labels,
    queue: QueueName | None,
    split: bool | None = None,
    max_rejected: float | None = None,
    triggered_by: Trigger,
    claim: str | None,
) -> NewJob:
    """List a folder and cut it into batches; touches neither server."""
    files = folders.find_files(folder)
    manifests = folders.cut(files, folders.true_labels(folder, files, labels), settings.batch_size)
    small = len(files) <= settings.express_limit
    return NewJob(
        name=name or folder.resolve().name,
        source=to_url(folder),
        manifests=manifests,
        queue=queue or (QueueName.EXPRESS if small else QueueName.BULK),
        triggered_by=triggered_by,
        labels=labels,
        split=settings.split if split is None else split,
        max_rejected=settings.max_rejected if max_rejected is None else max_rejected,
        claim=claim,
    )
