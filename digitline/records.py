"""What `--json` prints: jobs and results as objects; file names survive, whatever bytes they have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from core.ledger.results import Result
from core.vocabulary import Job
from digitline.pace import images_per_second, seconds_left
from digitline.plain import encodable

#: Keys of a result, in the order in which every format gives them.
RESULT_KEYS = ("path", "status", "label", "confidence", "verdict", "true_label", "reason", "model")


def as_json(value: object) -> str:
    """One line of JSON in ASCII: a byte of a name that is no UTF-8 becomes `\\udcff`."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def result_record(result: Result) -> dict[str, str | int | float | None]:
    """A result by `RESULT_KEYS`."""
    return {
        "path": result.path,
        "status": result.status,
        "label": result.label,
        "confidence": None if result.confidence is None else round(result.confidence, 6),
        "verdict": None if result.verdict is None else result.verdict.value,
        "true_label": result.true_label,
        "reason": None if result.reason is None else result.reason.value,
        "model": result.model,
    }


def encodable_record(result: Result) -> dict[str, str | int | float | None]:
    """As `result_record`, for formats that take UTF-8 only."""
    return {**result_record(result), "path": encodable(result.path)}


def job_record(job: Job, **more: object) -> Mapping[str, object]:
    """A job as an object; `more` is added to it."""
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state.value,
        "accounts": {**asdict(job.accounts), "open": job.accounts.open},
        "accuracy": job.accuracy,
        "labelled": job.labelled,
        "correct": job.correct,
        "escalated": job.escalated,
        "images_per_second": images_per_second(job),
        "seconds_left": seconds_left(job),
        "batches": job.batches,
        "model": job.model,
        "queue": job.queue.value,
        "triggered_by": job.triggered_by.value,
        "source": job.source,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "error": job.error,
        **more,
    }


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
