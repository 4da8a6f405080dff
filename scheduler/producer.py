"""A source becomes a job: rows first, then, after the commit, one message per batch, as far as the window allows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from celery import Celery

from core.crash import crash_point
from core.database import Database
from core.errors import LedgerUnreachable, QueueUnreachable
from core.ledger import batches, jobs, sweeps
from core.ledger.sweeps import Messages
from core.queues import Inspector, make_app, send_batches
from core.settings import Settings
from core.sources import Source, to_url
from core.vocabulary import Job, Labels, NewJob, QueueName, Trigger
from scheduler import folder as folders

log = logging.getLogger(__name__)

#: Batches that a job is cut into where no size is set, so that all processes have a part of it and end at about the
#: same time, be they two, three, four or six: of photos, which take some 50 ms each, a few hundred would otherwise be
#: one process's. Each costs a process some 15 ms beside its images.
BATCHES = 12
#: Images of such a batch at the least, so that it is worth its messages and transactions, and at the most, so that
#: what a worker lost is soon done again.
FEWEST, MOST = 64, 1024


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
    source: Source,
    *,
    name: str | None = None,
    labels: Labels = Labels.AUTO,
    queue: QueueName | None = None,
    split: bool | None = None,
    max_rejected: float | None = None,
    priority: int = 0,
    triggered_by: Trigger,
    claim: str | None = None,
) -> Job:
    """Make a job of a source and send its batches, those for which the window has room.

    Args:
        line: the servers.
        source: holds the images, at any depth.
        name: for people; default: the source's.
        labels: where true labels come from.
        queue: default: `express` for a small job, `bulk` for a large one.
        split: whether a picture of several digits is read as one string; default: as the settings say.
        max_rejected: share of the images that may be refused before the job pauses, 0 to 1; default: as the settings
            say.
        priority: one of `PRIORITIES`; of what waits in the ledger, the highest is sent first.
        triggered_by: who asked.
        claim: name of the folder under `claimed/`, for a drop of the inbox; it makes one job, ever.

    Raises:
        SubmissionError: the source cannot become a job.
        RevisionMismatch: the ledger's schema is not this version's.
        LedgerUnreachable, QueueUnreachable, StoreUnreachable: a server does not answer. Nothing was queued.
    """
    new = plan(
        line.settings,
        source,
        name=name,
        labels=labels,
        queue=queue,
        split=split,
        max_rejected=max_rejected,
        priority=priority,
        triggered_by=triggered_by,
        claim=claim,
    )
    line.database.check_revision()
    room = line.settings.window - line.inspector.depths()[new.queue]
    crash_point("producer.planned")
    job = jobs.create(line.database, new, room=room)
    crash_point("producer.committed")
    send(line, job)
    return job


def send(line: Line, job: Job) -> None:
    """Send the batches of a new job whose rows are committed, when it is their turn."""
    try:
        if now := batches.to_announce(line.database, job.id):
            send_batches(line.app, now)
        else:
            fill(line)
    except (LedgerUnreachable, QueueUnreachable) as error:
        # The rows are committed, so the job is safe: a sweep sends what is missing as soon as it can.
        log.warning("job %s is in the ledger, its messages follow later: %s", job.id, error)
    found = job.accounts.found
    log.info("job %s '%s' in queue %s: images %s, batches %s", job.id, job.name, job.queue, found, job.batches)


def fill(line: Line, *, resend_after: float | None = None) -> None:
    """Send what waits in the ledger until each queue holds as many messages as the window has.

    Args:
        line: the servers.
        resend_after: seconds since its last sending before a batch that Redis does not hold is sent again; None: only
            what was never sent is sent, for which Redis need not be read.

    Raises:
        LedgerUnreachable, QueueUnreachable: a server does not answer; what was marked and not sent counts as lost later.
    """
    for queue, depth in line.inspector.depths().items():
        # Looked at once: where workers are quick, there would be room for ever, and the scheduler has more to do.
        room = line.settings.window - depth
        while room > 0:
            due = sweeps.to_send(line.database, queue, room, _messages(line, resend_after))
            if due.lost:
                log.warning("%s batches were not in Redis and are sent again", due.lost)
            if due.batches:
                room -= send_batches(line.app, due.batches)
            if len(due.batches) < sweeps.PORTION:
                break


def _messages(line: Line, resend_after: float | None) -> Messages | None:
    if resend_after is None:
        return None
    # In this order: a message goes from a queue to a worker, and not back.
    waiting, held = line.inspector.waiting(), line.inspector.held()
    return Messages(waiting, resend_after, held, held_for=line.settings.lease_time)


def size_of_batches(images: int) -> int:
    """Images in each batch of a job of so many images, where no size is set."""
    return min(max(-(-images // BATCHES), FEWEST), MOST)


def plan(
    settings: Settings,
    source: Source,
    *,
    name: str | None,
    labels: Labels,
    queue: QueueName | None,
    split: bool | None = None,
    max_rejected: float | None = None,
    priority: int = 0,
    triggered_by: Trigger,
    claim: str | None,
) -> NewJob:
    """List a source and cut it into batches; touches neither server."""
    files = folders.find_files(source)
    size = settings.batch_size or size_of_batches(len(files))
    manifests = folders.cut(files, folders.true_labels(source, files, labels), size)
    small = len(files) <= settings.express_limit
    return NewJob(
        name=name or (source.resolve() if isinstance(source, Path) else source).name,
        source=to_url(source),
        manifests=manifests,
        queue=queue or (QueueName.EXPRESS if small else QueueName.BULK),
        triggered_by=triggered_by,
        labels=labels,
        split=settings.split if split is None else split,
        max_rejected=settings.max_rejected if max_rejected is None else max_rejected,
        priority=priority,
        claim=claim,
    )
