"""`digitline doctor --end-to-end`: sample digits go through the whole line; where they get stuck is said."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import LineError
from core.ledger import jobs, pauses, results, steering
from core.sources import source_of
from core.vocabulary import Job, JobState, Labels, QueueName, Trigger
from digitline import health
from digitline.samples import write_samples
from scheduler import producer
from scheduler.producer import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.settings import Settings

#: Seconds that the digits get where nobody says otherwise: a worker may have to load its model first.
PATIENCE = 120.0
#: Digits that are sent, and how many of them must be read right; the shipped model reads all.
_DIGITS, _RIGHT = 20, 18
#: Name of the job.
_NAME = "doctor"
#: Seconds between two looks at it.
_LOOK_EVERY = 0.2


def send_digits(settings: Settings, timeout: float = PATIENCE) -> str:
    """Have sample digits scored by the line as a job of their own, which stays in the ledger; their files do not.

    Args:
        settings: of the line.
        timeout: seconds after which the job is cancelled.

    Raises:
        LineError: they were not scored in time, or not read right; the message says where they got stuck.
    """
    with closing(Line.open(settings)) as line, _digits(settings) as folder:
        job = producer.submit(
            line,
            source_of(folder),
            name=_NAME,
            labels=Labels.FOLDERS,
            queue=QueueName.EXPRESS,
            split=False,
            max_rejected=1.0,
            triggered_by=Trigger.CLI,
        )
        started = time.monotonic()
        job = _wait(line, job, started + timeout)
        took = time.monotonic() - started
        if not job.state.ended:
            where, mend = _stuck(line, job)
            steering.cancel(line.database, job)
            raise LineError(f"Job {job.id} was not scored within {timeout:g} s: {where}", mend=mend)
        _check(line, job)
    return (
        f"{job.accounts.scored} digits through the whole line in {took:.1f} s, {job.correct} read right (job {job.id})"
    )


@contextmanager
def _digits(settings: Settings) -> Iterator[Path]:
    """A folder of digits where every host of the line should see it."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=settings.home_folder))
    try:
        # mkdtemp lets nobody else in, and workers may be another user.
        folder.chmod(0o755)
        write_samples(folder, _DIGITS)
        yield folder
    finally:
        shutil.rmtree(folder)


def _wait(line: Line, job: Job, deadline: float) -> Job:
    while True:
        job = jobs.get(line.database, job.id)
        if job.state.ended or time.monotonic() > deadline:
            return job
        time.sleep(_LOOK_EVERY)


def _check(line: Line, job: Job) -> None:
    if job.state is JobState.CANCELLED:
        raise LineError(f"Somebody cancelled job {job.id} meanwhile.", mend="Ask again.")
    if job.accounts.scored < _DIGITS:
        refused = next(result for result in results.of_job(line.database, job.id) if result.message)
        raise LineError(
            f"Of {_DIGITS} digits {job.accounts.scored} were scored; {refused.path}: {refused.message}",
            mend=f"`digitline results {job.id} --only rejected` names them all. Workers must read what lies in "
            f"{line.settings.home_folder}.",
        )
    if job.correct < _RIGHT:
        told = f"Of {_DIGITS} digits {job.correct} were read right by {job.model}."
        raise LineError(
            told, mend="`digitline evaluate` measures it; `digitline models rollback` brings back the one before."
        )


def _stuck(line: Line, job: Job) -> tuple[str, str]:
    """Where a job has got stuck, and what to do about it."""
    if job.trouble is not None:
        return job.trouble, "Mend what it says: on that worker's host, if it names one. Every host must see the images."
    if (pause := pauses.of_line(line.database)) is not None:
        return f"the line is {pause}.", "`digitline resume --all` lets it go on."
    if job.state is not JobState.QUEUED:
        return "a worker took it, and has not ended it.", "Its log says what it does; or give it more time (--timeout)."
    return _not_taken(line)


def _not_taken(line: Line) -> tuple[str, str]:
    """Why no worker has taken a batch."""
    pulse = health.feel(line)
    if pulse.problem is not None:
        return pulse.problem, ""
    if not pulse.workers:
        return "no worker took it, for none answers.", "Start one: `digitline up`, or `digitline worker`."
    names = ", ".join(worker.name for worker in pulse.workers)
    if not line.inspector.waiting() and not line.inspector.held():
        return "its message is not in Redis, and no scheduler sent it again.", "Start one: `digitline scheduler`."
    return f"no worker took it; {names} answer.", "They are busy, or serve another queue than express (--queues)."
