"""The batches of a job as people look at them: what each came to, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from core import tables
from core.database import Database
from core.vocabulary import BatchState

_batches = tables.batches.c


@dataclass(frozen=True, slots=True)
class TimedBatch:
    """A batch, as far as it has come."""

    id: int
    #: 1 for the job's first batch.
    sequence: int
    size: int
    state: BatchState
    attempts: int
    worker: str | None
    scored: int
    rejected: int
    quarantined: int
    #: Seconds by stage; empty until it is done.
    timings: Mapping[str, float] = field(default_factory=dict)
    #: What went wrong in the last attempt that failed.
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """From the claim to the end; None until there is one."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def of_job(database: Database, job_id: int, *, after: int = 0, limit: int = 50) -> list[TimedBatch]:
    """The next batches of a job, in their order.

    Args:
        database: the ledger.
        job_id: of the job.
        after: sequence of the batch that they come after.
        limit: how many at most.
    """
    names = ("id", "sequence", "size", "state", "attempts", "worker", "scored", "rejected", "quarantined", "timings")
    columns = [_batches[name] for name in (*names, "error", "started_at", "finished_at")]
    chosen = select(*columns).where(_batches.job_id == job_id, _batches.sequence > after)
    with database.read() as connection:
        return [
            TimedBatch(**{**row, "state": BatchState(row["state"]), "timings": row["timings"] or {}})
            for row in connection.execute(chosen.order_by(_batches.sequence).limit(limit)).mappings()
        ]
