"""The sweep: sends what waits and what was lost, ends what is over, files away; two of them at once do no harm."""

from __future__ import annotations

import logging
from functools import partial

from core.ledger import endings, jobs, sweeps
from core.vocabulary import Job
from scheduler.filing import file_away
from scheduler.producer import Line, fill
from scheduler.setbacks import Setbacks

log = logging.getLogger(__name__)

#: How the names of the steps begin that file a job.
_FILING = "filing job"


def sweep(line: Line, setbacks: Setbacks | None = None) -> None:
    """Put the ledger in order once.

    Args:
        line: the servers.
        setbacks: of earlier sweeps; default: this is the first one.

    Raises:
        LedgerUnreachable: the database does not answer; the next sweep does what this one could not.
    """
    setbacks = Setbacks() if setbacks is None else setbacks
    settings, database = line.settings, line.database
    for batch_id in sweeps.take_back_overdue(database, settings.max_attempts, outage=setbacks.outage()):
        log.warning("batch %s: its worker did not finish in time; it is queued again", batch_id)
    for batch_id in sweeps.quarantine_exhausted(database, settings.max_attempts):
        log.error("batch %s: given up after %s attempts; its images are quarantined", batch_id, settings.max_attempts)
    # While Redis is away, or takes nothing, everything else goes on.
    setbacks.attempt("sending what is queued", lambda: _send(line))
    endings.close_all_over(database)
    unfiled = {f"{_FILING} {job.id} '{job.name}', which is {job.state}": job for job in jobs.unfiled(database)}
    for name, job in unfiled.items():
        # One that cannot be moved or written to stays claimed, and keeps no other waiting.
        setbacks.attempt(name, partial(_file, line, job))
    setbacks.forget(_FILING, but=unfiled)


def _file(line: Line, job: Job) -> None:
    log.info("job %s '%s': %s, filed as %s", job.id, job.name, job.state, file_away(line, job))


def _send(line: Line) -> None:
    """Send what waits, and what Redis has lost."""
    fill(line, resend_after=line.settings.resend_after)
