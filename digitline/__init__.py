"""Digitline for scripts: `digitline.submit(folder)`, `digitline.job(id)`, `digitline.predict(images)`.

Importing this package is light: neither OpenCV, Keras, Celery nor SQLAlchemy is imported before a call needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from core.quiet import without_native_chatter

if TYPE_CHECKING:
    from core.errors import DigitlineError, JobFailed, JobNotFound, LedgerUnreachable, QueueUnreachable, SubmissionError
    from digitline.client import job, jobs, submit
    from digitline.handle import JobHandle
    from digitline.local import predict

__all__ = [
    "DigitlineError",
    "JobFailed",
    "JobHandle",
    "JobNotFound",
    "LedgerUnreachable",
    "QueueUnreachable",
    "SubmissionError",
    "job",
    "jobs",
    "predict",
    "submit",
]

#: The module that each name comes from, imported when the name is first used (PEP 562).
_ORIGINS = {
    "JobHandle": "digitline.handle",
    "job": "digitline.client",
    "jobs": "digitline.client",
    "submit": "digitline.client",
    "predict": "digitline.local",
} | dict.fromkeys(
    ("DigitlineError", "JobFailed", "JobNotFound", "LedgerUnreachable", "QueueUnreachable", "SubmissionError"),
    "core.errors",
)


def __getattr__(name: str) -> object:
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with without_native_chatter():
        origin = import_module(_ORIGINS[name])
    return getattr(origin, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ORIGINS])
