"""The line for scripts: submit a folder, wait for it, read its results."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import JobFailed, JobPaused, QueueUnreachable
from core.ledger import batches, corrections, steering
from core.ledger import jobs as job_ledger
from core.ledger import results as result_ledger
from core.ledger.corrections import Correction
from core.ledger.results import Result
from core.queues import send_batches
from core.vocabulary import DIGITS, Accounts, Job, JobState, Labels, QueueName, Trigger, Verdict
from digitline.bar import image_bar
from digitline.connection import open_line
from digitline.pace import finished_images
from digitline.plain import printable
from digitline.who import user_name
from scheduler import producer
from scheduler.producer import Line

log = logging.getLogger(__name__)

#: A share of a job's results, by status or by verdict.
Only = Literal["scored", "rejected", "digit", "uncertain", "not_a_digit", "blank", "low_contrast", "several"]
ONLY: tuple[Only, ...] = get_args(Only)


class JobHandle:
    """A job of the line, as it stood when it was last looked at; `refresh` looks again."""

    def __init__(self, line: Line, job: Job) -> None:
        self._line = line
        #: Everything the ledger says about the job.
        self.record = job

    @property
    def id(self) -> int:
        """Number of the job."""
        return self.record.id

    @property
    def name(self) -> str:
        """Name of the job, for people; not unique."""
        return self.record.name

    @property
    def state(self) -> JobState:
        """`queued`, `running`, `done`, `failed` or `cancelled`."""
        return self.record.state

    @property
    def accounts(self) -> Accounts:
        """Images found, scored, rejected and quarantined."""
        return self.record.accounts

    @property
    def accuracy(self) -> float | None:
        """Share of right labels, 0 to 1; None where no true label is known."""
        return self.record.accuracy

    def refresh(self) -> JobHandle:
        """Read the job anew; returns this very handle."""
        self.record = job_ledger.get(self._line.database, self.id)
        return self

    def wait(self, timeout: float | None = None, progress: bool = False, poll: float = 0.2) -> JobHandle:
        """Wait until the job has ended.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            progress: show a bar with images, images a second and time left on stderr.
            poll: seconds between two looks.

        Returns:
            This very handle.

        Raises:
            JobFailed: not one image was scored, or the job was cancelled; the message says why.
            JobPaused: too much of the job is refused, and it waits for a person.
            TimeoutError: the job is still at work after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with image_bar(shown=progress) as bar:
            task = bar.add_task(printable(self.name), total=self.accounts.found)
            while not self.refresh().state.ended:
                if self.state is JobState.PAUSED:
                    raise JobPaused(f"Job {self.id} {self.name!r} is paused: {self.record.error}.")
                bar.update(task, completed=finished_images(self.accounts))
                time.sleep(min(poll, self._remaining(deadline)))
            bar.update(task, completed=finished_images(self.accounts))
        if self.state is not JobState.DONE:
            what = "was cancelled" if self.state is JobState.CANCELLED else "failed"
            raise JobFailed(f"Job {self.id} {self.name!r} {what}: {self.record.error or 'no reason is known'}.")
        return self

    def results(self, only: Only | None = None) -> Iterator[Result]:
        """Every image that has met its end so far, in the order of the folder; read batch by batch.

        Args:
            only: a status, `scored` or `rejected`, or one of the verdicts; None: all of them.

        Raises:
            ValueError: `only` is something else.
        """
        if only is not None and only not in ONLY:
            raise ValueError(f"only={only!r}: it must be one of {', '.join(ONLY)}.")
        found = result_ledger.of_job(self._line.database, self.id)
        return (result for result in found if only is None or _matches(result, only))

    def verdicts(self) -> dict[Verdict, int]:
        """Count the images by what they are taken for; those that could not be decoded are in none."""
        return result_ledger.verdict_counts(self._line.database, self.id)

    def correct(self, path: str, label: int, *, by: str | None = None) -> Correction:
        """Keep a person's word on an image, for training to learn from.

        Args:
            path: of the image, as the results name it.
            label: the digit that it shows, 0 to 9.
            by: who says so; default: the user's name.

        Raises:
            ImageNotFound: the job has no such image, or has not come to it yet.
            ValueError: the label is no digit.
        """
        return corrections.record(self._line.database, self.id, path, label, by=by or user_name())

    def corrections(self) -> list[Correction]:
        """The last word on every corrected image, in the order of the folder."""
        return corrections.of_job(self._line.database, self.id)

    def confusion_matrix(self) -> NDArray[np.int64]:
        """Count the scored images of one digit by true and by predicted label, whatever their verdict.

        Returns:
            int64, (10, 10), rows actual, columns predicted; all zero where no true label is known.
        """
        matrix = np.zeros((DIGITS, DIGITS), np.int64)
        for cell in result_ledger.job_confusion(self._line.database, self.id):
            if cell.predicted is not None:
                matrix[cell.actual, cell.predicted] += cell.count
        return matrix

    def rejected_by_class(self) -> NDArray[np.int64]:
        """Count by true label the images in which no single digit was read: the rejected ones, and strings.

        Returns:
            int64, (10,); all zero where no true label is known.
        """
        rejected = np.zeros(DIGITS, np.int64)
        for cell in result_ledger.job_confusion(self._line.database, self.id):
            if cell.predicted is None:
                rejected[cell.actual] += cell.count
        return rejected

    def cancel(self) -> JobHandle:
        """Stop the job; what is scored stays scored.

        Raises:
            IllegalTransition: it has ended already.
        """
        self.record = steering.cancel(self._line.database, self.record)
        return self

    def resume(self, *, max_rejected: float | None = None) -> JobHandle:
        """Let the paused job go on.

        Args:
            max_rejected: its failure budget from now on, 0 to 1; None: it has none any more.

        Raises:
            IllegalTransition: it is not paused.
            ValueError: `max_rejected` is no share.
        """
        _check_share(max_rejected)
        self.record = steering.resume(self._line.database, self.record, max_rejected=max_rejected)
        _send_waiting(self._line)
        return self

    def retry(self) -> JobHandle:
        """Score again every batch with a quarantined image, and what was open when the job was cancelled.

        Raises:
            IllegalTransition: there is nothing of that kind.
        """
        self.record = steering.retry(self._line.database, self.record)
        _send_waiting(self._line)
        return self

    def _remaining(self, deadline: float | None) -> float:
        """Seconds until the deadline; raises TimeoutError once it is over."""
        if deadline is None:
            return float("inf")
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            done = finished_images(self.accounts)
            raise TimeoutError(f"Job {self.id} {self.name!r} is {self.state}: {done} of {self.accounts.found} images.")
        return remaining

    def __repr__(self) -> str:
        done = finished_images(self.accounts)
        return f"<job {self.id} {self.name!r}: {self.state}, {done} of {self.accounts.found} images>"


def submit(
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    labels: Labels | str = Labels.AUTO,
    queue: QueueName | str = "auto",
    split: bool | None = None,
    max_rejected: float | None = None,
    triggered_by: Trigger = Trigger.SCRIPT,
) -> JobHandle:
    """Hand a folder of images over to the line; returns as soon as it is queued.

    Args:
        folder: holds the images, at any depth; every host of the line must see it under this path.
        name: for people; default: the folder's name.
        labels: where true labels come from: `auto`, `folders` (`0/` to `9/`), `csv` (labels.csv) or `none`.
        queue: `express`, `bulk` or `auto`, which is express for a small folder.
        split: whether a picture of several digits is read as one string; default: the setting `split`.
        max_rejected: share of the images, 0 to 1, that may be rejected or quarantined before the job pauses; default:
            the setting `max_rejected`.
        triggered_by: who asked.

    Raises:
        SubmissionError: the folder cannot become a job.
        LedgerUnreachable, RevisionMismatch, QueueUnreachable: the line is not there. Nothing was queued.
        ValueError: `labels` or `queue` is none of the words above, or `max_rejected` no share.
    """
    _check_share(max_rejected)
    line = open_line()
    job = producer.submit(
        line,
        Path(folder),
        name=name,
        labels=Labels(labels),
        queue=None if queue == "auto" else QueueName(queue),
        split=split,
        max_rejected=max_rejected,
        triggered_by=triggered_by,
    )
    return JobHandle(line, job)


def job(reference: int | str) -> JobHandle:
    """The job of that id, or the newest of that name.

    Raises:
        JobNotFound: there is none.
    """
    line = open_line()
    line.database.check_revision()
    return JobHandle(line, job_ledger.find(line.database, str(reference)))


def jobs(limit: int = 50) -> list[JobHandle]:
    """The newest jobs, the newest first."""
    line = open_line()
    line.database.check_revision()
    return [JobHandle(line, record) for record in job_ledger.newest(line.database, limit)]


def _check_share(max_rejected: float | None) -> None:
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise ValueError(f"max_rejected={max_rejected!r}: it must be from 0 to 1.")


def _matches(result: Result, only: Only) -> bool:
    return only in (result.status, result.verdict)


def _send_waiting(line: Line) -> None:
    """Send what is queued and not in Redis, as the sweep does, only at once."""
    try:
        waiting = batches.to_send_again(line.database, line.inspector.waiting(), resend_after=0.0)
        send_batches(line.app, waiting)
    except QueueUnreachable as error:
        log.warning("%s What is queued is sent as soon as it is back.", error)
