"""What `--json` prints: jobs and results as objects; file names survive, whatever bytes they have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from core.ledger.pauses import Pause
from core.ledger.results import Result
from core.plain import encodable
from core.vocabulary import Digit, Job
from digitline.pace import images_per_second, seconds_left

#: Keys of a result, in the order in which every format gives them.
RESULT_KEYS = ("path", "status", "label", "confidence", "verdict", "true_label", "reason", "model", "digits", "review")


def as_json(value: object) -> str:
    """One line of JSON in ASCII: a byte of a name that is no UTF-8 becomes `\\udcff`."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


#: A result by `RESULT_KEYS`; the label of a string is a text, and its digits are objects of label and confidence.
Record = dict[str, str | int | float | list[dict[str, int | float]] | None]


def result_record(result: Result) -> Record:
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
        "digits": [digit_record(digit) for digit in result.digits] or None,
        "review": None if result.review is None else str(result.review),
    }


def digit_record(digit: Digit) -> dict[str, int | float]:
    """A digit of a string as an object."""
    return {"label": digit.label, "confidence": round(digit.confidence, 6)}


def encodable_record(result: Result) -> Record:
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
        "reviewed": job.reviewed,
        "labelled_by_review": job.labelled_by_review,
        "escalated": job.escalated,
        "images_per_second": images_per_second(job),
        "seconds_left": seconds_left(job),
        "batches": job.batches,
        "model": job.model,
        "queue": job.queue.value,
        "split": job.split,
        "max_rejected": job.max_rejected,
        "triggered_by": job.triggered_by.value,
        "schedule": job.schedule,
        "priority": job.priority,
        "source": job.source,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "error": job.error,
        "trouble": job.trouble,
        **more,
    }


def pause_record(pause: Pause | None) -> Mapping[str, object] | None:
    """The pause of the whole line as an object; None while it runs."""
    return None if pause is None else {"since": iso(pause.since), "by": pause.by, "reason": pause.reason}


def iso(when: datetime | None) -> str | None:
    """A moment as ISO 8601; None where there is none."""
    return None if when is None else when.isoformat()
