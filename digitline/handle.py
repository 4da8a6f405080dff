"""A job of the line in the hands of a script: wait for it, read its results, steer it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import JobFailed, JobPaused, QueueUnreachable
from core.ledger import corrections, steering
from core.ledger import jobs as job_ledger
from core.ledger import results as result_ledger
from core.ledger.corrections import Correction, Withdrawal, Word
from core.ledger.results import Result
from core.plain import printable
from core.vocabulary import DIGITS, PRIORITIES, Accounts, Job, JobState, Verdict
from digitline.bar import image_bar
from digitline.pace import finished_images
from digitline.who import user_name
from scheduler.producer import Line, fill

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
        """Share of right labels, 0 to 1, by what people said where they did; None where no true label is known.

        Of a job whose labels come from review alone it is the share among the least certain images, and not the job's.
        """
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
            JobPaused: it waits for a person, since too much of it is refused or somebody paused it. While the whole
                line is paused, this waits as well.
            TimeoutError: the job is still at work after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with image_bar(shown=progress) as bar:
            task = bar.add_task(printable(self.name), total=self.accounts.found)
            while not self.refresh().state.ended:
                if self.state is JobState.PAUSED:
                    mend = f"{self._look} `digitline resume {self.id}` lets it go on, `digitline cancel {self.id}` ends it."
                    raise JobPaused(f"Job {self.id} {self.name!r} is paused: {self.record.error}.", mend=mend.strip())
                bar.update(task, completed=finished_images(self.accounts))
                time.sleep(min(poll, self._remaining(deadline)))
            bar.update(task, completed=finished_images(self.accounts))
        if self.state is not JobState.DONE:
            what = "was cancelled" if self.state is JobState.CANCELLED else "failed"
            why = f"Job {self.id} {self.name!r} {what}: {self.record.error or 'no reason is known'}."
            raise JobFailed(why, mend=self._look)
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

    def correct(self, path: str, label: int | str, *, by: str | None = None) -> Correction:
        """Keep a person's word on an image: it counts from now on, and training may learn from it.

        Args:
            path: of the image, as the results name it.
            label: the digit that it shows, `not_a_digit`, `several`, or a string of digits such as "1947".
            by: who says so; default: the user's name.

        Raises:
            ImageNotFound: the job has no such image, or has not come to it yet.
            ValueError: the label is none of these.
        """
        word = Word.of(label) if isinstance(label, str) else label
        return corrections.record(self._line.database, self.id, path, word, by=by or user_name())

    def withdraw(self, path: str, *, by: str | None = None) -> Withdrawal | None:
        """Take back the last word on an image; the one before it stands again. None: there was none.

        Raises:
            ImageNotFound: the job has no such image, or has not come to it yet.
        """
        return corrections.withdraw_of(self._line.database, self.id, path, by=by or user_name())

    def corrections(self) -> list[Correction]:
        """The word that stands on every corrected image, in the order of the folder."""
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

    def pause(self, *, reason: str | None = None, by: str | None = None) -> JobHandle:
        """Let nothing more of the job be claimed until it is resumed; what is being scored ends.

        Args:
            reason: why, for people.
            by: who says so; default: the user's name.

        Raises:
            IllegalTransition: it has ended, or is paused already.
        """
        self.record = steering.pause(self._line.database, self.record, by=by or user_name(), reason=reason)
        return self

    def resume(self, *, max_rejected: float | None = None) -> JobHandle:
        """Let the paused job go on.

        Args:
            max_rejected: its failure budget from now on, 0 to 1; None: it has none any more, but keeps the one that it
                has where a person paused it.

        Raises:
            IllegalTransition: it is not paused.
            ValueError: `max_rejected` is no share.
        """
        check_share(max_rejected)
        self.record = steering.resume(self._line.database, self.record, max_rejected=max_rejected)
        send_waiting(self._line)
        return self

    def set_priority(self, priority: int) -> JobHandle:
        """Let what waits of the job in the ledger be sent before that of jobs of a lower priority.

        Args:
            priority: -9 to 9.

        Raises:
            IllegalTransition: the job has ended.
            ValueError: `priority` is none of these.
        """
        check_priority(priority)
        self.record = steering.set_priority(self._line.database, self.record, priority)
        return self

    def retry(self) -> JobHandle:
        """Score again every batch with a quarantined image, and what was open when the job was cancelled.

        Raises:
            IllegalTransition: there is nothing of that kind.
        """
        self.record = steering.retry(self._line.database, self.record)
        send_waiting(self._line)
        return self

    @property
    def _look(self) -> str:
        """Where to look, if images were refused."""
        refused = self.accounts.rejected + self.accounts.quarantined
        return f"`digitline results {self.id} --only rejected` says why each was refused." if refused else ""

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


def check_share(max_rejected: float | None) -> None:
    """Raises ValueError where a failure budget is no share."""
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise ValueError(f"max_rejected={max_rejected!r}: it must be from 0 to 1.")


def check_priority(priority: int) -> None:
    """Raises ValueError where a priority is none."""
    if priority not in PRIORITIES:
        raise ValueError(f"priority={priority!r}: it must be from {PRIORITIES[0]} to {PRIORITIES[-1]}.")


def send_waiting(line: Line) -> None:
    """Send what is queued and not in Redis, as the sweep does, only at once."""
    try:
        fill(line, resend_after=0.0)
    except QueueUnreachable as error:
        log.warning("%s What is queued is sent as soon as it is back.", error)


def _matches(result: Result, only: Only) -> bool:
    return only in (result.status, result.verdict)
