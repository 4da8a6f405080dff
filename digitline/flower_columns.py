"""What Flower shows of a batch: job, place in the job, images, what came out, and what a person can do about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from celery.events import state

from core import errors
from core.queues import SCORE_BATCH, Description, read_description

#: Columns of the table of tasks that Flower does not know of itself, and their headings.
COLUMNS = {"uuid": "Task", "job": "Job", "batch": "Batch", "images": "Images", "outcome": "Outcome"}
#: The table, from left to right. The task's name is the same in every row, and its arguments are in our columns.
SHOWN = "uuid,job,batch,images,outcome,state,worker,received,runtime"

#: Rows of a task's own page, before Flower's, in the order that they are read in.
_ROWS = ("job", "batch", "images", "outcome", "what_to_do")
#: Flower's rows that say something about a batch; the table needs `uuid` to `kwargs`, too.
_FLOWERS_ROWS = (
    *("uuid", "name", "state", "args", "kwargs", "result", "worker", "sent", "received", "started", "succeeded"),
    *("failed", "revoked", "rejected", "runtime", "routing_key", "client", "exception", "traceback"),
)
_AGAIN = (
    "The scheduler sends the batch again, DIGITLINE_MAX_ATTEMPTS times at most, and has each of its images looked at in a "
    "process of its own; an image that ends it is quarantined and named. `digitline status {job}` says how far it is."
)
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


def format_task(task: Any) -> Any:
    """Add the columns and rows to a copy of one of Celery's tasks; Flower calls it for every one that it shows."""
    batch = _batch(task)
    error, said = _exception(task.exception, task.traceback) if task.state != "STARTED" else _loss(task)
    task.job = f"{batch.job_id} {batch.job_name}" if batch else ""
    task.batch = f"{batch.sequence}/{batch.of}" if batch else ""
    task.images = batch.size if batch else ""
    task.outcome = _why(error, said) if error or said else _plain(task.result or "")
    task.what_to_do = _mend(batch, error, task.outcome)
    if task.runtime is None and task.failed and task.started:
        task.runtime = task.failed - task.started
    if batch:
        # The rows above tell it in words.
        task.args = task.kwargs = task.result = ""
    task._fields = (*_ROWS, *_FLOWERS_ROWS)
    return task


def install() -> None:
    """Have Celery's and Flower's own code in this process sort by the columns, and take progress for no state."""
    # What a running batch says of its progress leaves it started, so that it is found among the others that are.
    state.TASK_EVENT_TO_STATE["progress"] = "STARTED"
    for column, rank in _RANKS.items():
        setattr(state.Task, column, _Rank(rank))


class _Rank:
    """What Flower sorts a task by, as text; a task that `format_task` was given has values of its own instead."""

    def __init__(self, rank: Callable[[Description, Any], str]) -> None:
        self._rank = rank

    def __get__(self, task: Any, kind: type) -> str | None:
        batch = None if task is None else _batch(task)
        return None if batch is None else self._rank(batch, task)


_RANKS: dict[str, Callable[[Description, Any], str]] = {
    "job": lambda batch, _: f"{batch.job_id:012}",
    "batch": lambda batch, _: f"{batch.job_id:012} {batch.sequence:09}",
    "images": lambda batch, _: f"{batch.size:09}",
    "outcome": lambda _, task: str(task.exception or task.result or ""),
}


def _batch(task: Any) -> Description | None:
    if task.name not in (SCORE_BATCH, None) or not isinstance(task.kwargs, str):
        return None
    return read_description(task.kwargs)


def _plain(shown: object) -> str:
    """Text that was written as Python writes it, between quotes, as itself."""
    try:
        return str(ast.literal_eval(str(shown)))
    except (ValueError, SyntaxError):
        return str(shown)  # cut short, or never written so


def _exception(shown: str | None, traceback: str | None) -> tuple[str, str]:
    """The class and the message of an exception, from how Python writes it."""
    found = _CALL.fullmatch(shown or "")
    if found is None or found[1] == "ExceptionWithTraceback":
        # billiard hides that of a process which was lost; the last line of its traceback has it.
        *_, last = (traceback or shown or "").strip().rpartition("\n")
        name, _, said = last.partition(": ")
        return name.rpartition(".")[2], said
    try:
        arguments = ast.literal_eval(f"({found[2]},)") if found[2] else ()
    except (ValueError, SyntaxError):
        arguments = (found[2],)
    return found[1], str(arguments[0]) if arguments else ""


def _loss(task: Any) -> tuple[str, str]:
    """What there is to say of a task that runs, where its worker is not heard of any more."""
    if task.worker is None or task.worker.alive:
        return "", ""
    return "WorkerGone", "Its worker is gone, and nobody is left to say how it ended."


def _why(error: str, said: str) -> str:
    """Why an attempt failed, in a sentence."""
    if error == "WorkerLostError":
        signal = re.search(r"SIG\w+", said)
        return f"The process that scored it was ended by {signal[0]}." if signal else f"Its process ended: {said}"
    if error in ("TimeLimitExceeded", "SoftTimeLimitExceeded"):
        return "It took longer than DIGITLINE_SOFT_TIME_LIMIT allows."
    return said or error


def _mend(batch: Description | None, error: str, outcome: str) -> str | None:
    """What a person can do about what came out; None where nothing needs to be done."""
    if batch is None:
        return None
    job = batch.job_id
    if error == errors.ImagesQuarantined.__name__ or " rejected" in outcome:
        named = f"`digitline results {job} --only rejected` names each image and its reason."
        if error:
            return f"{named} `digitline retry {job}` has those that were quarantined scored once more."
        return f"{named} `digitline explain FILE` shows what is seen in one of them."
    if not error:
        return None
    known = getattr(errors, error, None)
    mend = str(getattr(known, "mend", "")).replace("JOB", str(job))
    return f"{mend} {_AGAIN.format(job=job)}".strip()
