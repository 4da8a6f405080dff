"""How fast a job gets on, and how long it still takes."""

from __future__ import annotations

from datetime import UTC, datetime

from core.vocabulary import Accounts, Job


def finished_images(accounts: Accounts) -> int:
    """Images that have met their end: scored, rejected or quarantined."""
    return accounts.found - accounts.open


def seconds_worked(job: Job, now: datetime | None = None) -> float | None:
    """Seconds from the first batch's start to the job's end, or to `now`; None where no worker has begun.

    Args:
        job: the job.
        now: default: this host's clock, which is used for jobs that still run.
    """
    if job.started_at is None:
        return None
    until = job.finished_at or now or datetime.now(UTC)
    # The ledger's clock may be ahead of this host's.
    return max((until - job.started_at).total_seconds(), 0.0)


def images_per_second(job: Job, now: datetime | None = None) -> float | None:
    """Images finished a second, from the first batch's start on; None where that cannot be told yet."""
    seconds = seconds_worked(job, now)
    finished = finished_images(job.accounts)
    return finished / seconds if seconds and finished else None


def seconds_left(job: Job, now: datetime | None = None) -> float | None:
    """Seconds until the job is over if it goes on like this; None where it has ended or has not begun."""
    rate = images_per_second(job, now)
    return job.accounts.open / rate if rate and not job.state.ended else None
