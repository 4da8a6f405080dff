"""How a job begins: its row and those of all its batches, pinned to the model in production."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, exists, insert, or_, select
from sqlalchemy.sql.dml import ReturningInsert

from core import clock, tables
from core.errors import ModelNotFound
from core.ledger.models import production_id
from core.vocabulary import BatchState, JobState, Manifest, NewJob, QueueName

_jobs, _batches = tables.jobs, tables.batches

#: Batches inserted by one statement; bounds the memory of a job of a million images.
_INSERT_CHUNK = 500


def write(connection: Connection, new: NewJob, *, room: int = 0) -> int:
    """Write a job and all its batches as `core.ledger.jobs.create` does; part of the caller's transaction.

    Returns:
        Its id.

    Raises:
        ModelNotFound: no model is in production.
    """
    job_id = _insert_job(connection, new)
    unsent = len(new.manifests) > room or _others_wait(connection, new.queue)
    _insert_batches(connection, job_id, new, unsent=unsent)
    return job_id


def _insert_job(connection: Connection, new: NewJob) -> int:
    model = production_id(connection)
    if model is None:
        raise ModelNotFound(
            "No model is in production.", mend="Run `digitline migrate`, which registers the shipped one."
        )
    values = {
        "name": new.name,
        "source": new.source,
        "state": JobState.QUEUED.value,
        "queue": new.queue.value,
        "triggered_by": new.triggered_by.value,
        "model_id": model,
        "found": new.found,
        "batch_count": len(new.manifests),
        "options": {"labels": new.labels.value, "split": new.split, "max_rejected": new.max_rejected},
        "claim": new.claim,
        "schedule": new.schedule,
        "priority": new.priority,
    }
    return int(connection.execute(_new_job(), values).scalar_one())


# Once for all, as below: SQLAlchemy takes longer to put a statement together than SQLite to run it.
@cache
def _new_job() -> ReturningInsert[Any]:
    return insert(_jobs).values(created_at=clock.now()).returning(_jobs.c.id)


@cache
def _new_batches() -> Insert:
    return insert(_batches).values(sent_at=clock.now())


def _others_wait(connection: Connection, queue: QueueName) -> bool:
    """Whether batches of that queue wait in the ledger for their turn, or the line for a person."""
    return bool(connection.scalar(_waits(), {"queue": queue.value}))


@cache
def _waits() -> Select[Any]:
    waits = (_batches.c.state == BatchState.QUEUED.value, _batches.c.unsent, _jobs.c.queue == bindparam("queue"))
    batch_waits = select(_batches.c.id).join(_jobs, _jobs.c.id == _batches.c.job_id).where(*waits)
    return select(or_(exists(batch_waits), exists(select(tables.pauses.c.id))))


def _insert_batches(connection: Connection, job_id: int, new: NewJob, *, unsent: bool) -> None:
    for start in range(0, len(new.manifests), _INSERT_CHUNK):
        chunk = enumerate(new.manifests[start : start + _INSERT_CHUNK], start=start + 1)
        connection.execute(_new_batches(), [_new_batch(job_id, unsent, *numbered) for numbered in chunk])


def _new_batch(job_id: int, unsent: bool, sequence: int, manifest: Manifest) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "unsent": unsent,
        "sequence": sequence,
        "size": len(manifest),
        "state": BatchState.QUEUED.value,
        "manifest": {"paths": list(manifest.paths), "true_labels": manifest.true_labels, **_marks(manifest)},
    }


def _marks(manifest: Manifest) -> dict[str, str]:
    return {} if manifest.marks is None else {"marks": " ".join(f"{mark:x}" for mark in manifest.marks)}
