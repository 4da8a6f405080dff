"""The sweep: sends what waits and what was lost, ends what is over, files away; two of them at once do no harm."""

from __future__ import annotations

import logging

from core.errors import QueueUnreachable
from core.ledger import endings, jobs, sweeps
from core.vocabulary import Job
from scheduler.filing import file_away
from scheduler.producer import Line, fill

log = logging.getLogger(__name__)


def sweep(line: Line) -> None:
    """Put the ledger in order once.

    Raises:
        LedgerUnreachable: the database does not answer; the next sweep does what this one could not.
    """
    settings, database = line.settings, line.database
    for batch_id in sweeps.take_back_overdue(database, settings.max_attempts):
        log.warning("batch %s: its worker did not finish in time; it is queued again", batch_id)
    for batch_id in sweeps.quarantine_exhausted(database, settings.max_attempts):
        log.error("batch %s: given up after %s attempts; its images are quarantined", batch_id, settings.max_attempts)
    _send(line)
    endings.close_all_over(database)
    for job in jobs.unfiled(database):
        _file(line, job)


def _file(line: Line, job: Job) -> None:
    """File a drop away; one that cannot be moved or written to stays claimed and keeps no other waiting."""
    try:
        log.info("job %s '%s': %s, filed as %s", job.id, job.name, job.state, file_away(line, job))
    except OSError as error:
        log.error("job %s '%s' is %s and cannot be filed yet: %s", job.id, job.name, job.state, error)


def _send(line: Line) -> None:
    """Send what waits, and what Redis has lost; while Redis is away, everything else goes on."""
    try:
        fill(line, resend_after=line.settings.resend_after)
    except QueueUnreachable as error:
        log.warning("%s What is queued is sent as soon as it is back.", error)
