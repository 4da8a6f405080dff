"""The sweep: sends again what was lost, ends what is over, files away; two of them at once do no harm."""

from __future__ import annotations

import logging

from core.errors import QueueUnreachable
from core.ledger import batches, endings, jobs
from core.queues import send_batches
from core.vocabulary import Batch, Job
from scheduler.filing import file_away
from scheduler.producer import Line

log = logging.getLogger(__name__)


def sweep(line: Line) -> None:
    """Put the ledger in order once.

    Raises:
        LedgerUnreachable: the database does not answer; the next sweep does what this one could not.
    """
    settings, database = line.settings, line.database
    for batch_id in batches.take_back_overdue(database, settings.max_attempts):
        log.warning("batch %s: its worker did not finish in time; it is queued again", batch_id)
    for batch_id in batches.quarantine_exhausted(database, settings.max_attempts):
        log.error("batch %s: given up after %s attempts; its images are quarantined", batch_id, settings.max_attempts)
    _send_lost(line)
    endings.close_all_over(database)
    for job in jobs.unfiled(database):
        _file(line, job)


def _file(line: Line, job: Job) -> None:
    """File a drop away; one that cannot be moved or written to stays claimed and keeps no other waiting."""
    try:
        log.info("job %s '%s': %s, filed as %s", job.id, job.name, job.state, file_away(line, job))
    except OSError as error:
        log.error("job %s '%s' is %s and cannot be filed yet: %s", job.id, job.name, job.state, error)


def _lost(line: Line) -> list[Batch]:
    return batches.to_send_again(
        line.database,
        line.inspector.waiting(),
        line.settings.resend_after,
        held=line.inspector.held(),
        held_for=line.settings.lease_time,
    )


def _send_lost(line: Line) -> None:
    """Send every queued batch that Redis does not hold; while Redis is away, everything else goes on."""
    try:
        while lost := _lost(line):
            log.warning("%s batches were not in Redis and are sent again", len(lost))
            send_batches(line.app, lost)
    except QueueUnreachable as error:
        log.warning("%s What is queued is sent as soon as it is back.", error)
