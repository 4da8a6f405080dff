"""`digitline doctor`: is everything in order, and if not, what to do about it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from classifier.artifact import read_card
from classifier.keras_file import check_folder
from core.database import Database
from core.errors import DigitlineError, LineError
from core.ledger import audit, jobs, models, notices, pauses
from core.queues import Inspector
from core.settings import Settings
from core.words import NoticeState
from digitline import health
from scheduler.producer import Line

#: Bytes of free disk under which the doctor frowns.
_LITTLE_DISK = 1 << 30
#: Times that a sweep should have come by before a batch counts as left alone.
_LEFT_ALONE = 10
#: Seconds after which a claimed folder should have become a job.
_CLAIMED_LONG_AGO = 120.0
#: Jobs named in one finding.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    in_order: bool
    finding: str
    #: What to do about it; empty where it is in order.
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Check every part of the line; a part that fails keeps no other from being checked."""
    checks: dict[str, Callable[[Settings], str]] = {
        "folders": _folders,
        "disk": _disk,
        "database": _database,
        "model": _model,
        "accounts": _accounts,
        "batches": _batches,
        "jobs": _jobs,
        "claims": _claims,
        "hooks": _hooks,
        "redis": _redis,
        "workers": _workers,
    }
    return [_examine(what, check, settings) for what, check in checks.items()]


def _examine(what: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(what, True, check(settings))
    except DigitlineError as error:
        return Finding(what, False, str(error), error.mend)
    except OSError as error:
        return Finding(what, False, f"{error}.", "Name another home with DIGITLINE_HOME, or mend this one.")


def _folders(settings: Settings) -> str:
    for folder in (settings.inbox_folder, settings.claimed_folder, settings.done_folder, settings.failed_folder):
        # Looked for, not made: whoever asks a doctor wants to know, and maybe stands in the wrong place.
        if not folder.is_dir():
            mend = "Run `digitline up`, which makes it, or name the home of a line with DIGITLINE_HOME."
            raise LineError(f"There is no folder {folder}: no line has run here.", mend=mend)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise LineError(f"{folder} cannot be written.", mend="Give this user the right to write there.")
    return f"inbox {settings.inbox_folder}"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.inbox_folder).free
    if free < _LITTLE_DISK:
        raise LineError(f"Only {free / 1e9:.1f} GB are free.", mend="Make room: old folders in done/, old logs.")
    return f"{free / 1e9:.0f} GB free"


@contextmanager
def _ledger(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.database)) as database:
        database.check_revision()
        yield database


def _database(settings: Settings) -> str:
    with _ledger(settings) as database:
        return database.url.render_as_string(hide_password=True)


def _model(settings: Settings) -> str:
    with _ledger(settings) as database:
        model = models.find(database, models.PRODUCTION)
    folder = Path(model.location)
    check_folder(folder, read_card(folder, sha256=model.sha256))
    return f"{model.name} in {folder}"


def _accounts(settings: Settings) -> str:
    with _ledger(settings) as database:
        unbalanced = [job.id for job in jobs.ended_unbalanced(database)]
        miscounted = audit.miscounted(database)
    if unbalanced:
        raise LineError(
            f"Jobs ended though their accounts do not balance: {_listed(unbalanced)}.",
            mend="Run `digitline retry JOB`.",
        )
    if miscounted:
        raise LineError(
            f"Jobs whose counts are not those of their rows: {_listed(miscounted)}.",
            mend="Somebody wrote into the ledger by hand: bring back a backup, or submit these folders again.",
        )
    return "every job that ended balances, and every count is that of its rows"


def _batches(settings: Settings) -> str:
    patience = _LEFT_ALONE * (settings.resend_after + settings.sweep_interval)
    with closing(Inspector(settings)) as inspector:
        waiting = inspector.waiting() | inspector.held()
        idle = [queue for queue, depth in inspector.depths().items() if not depth]
    with _ledger(settings) as database:
        alone = audit.left_alone(database, patience, waiting, idle)
    if alone:
        what = ", ".join(f"{count} of job {job}" for job, count in alone.items())
        raise LineError(
            f"Batches that nobody looks after: {what}.",
            mend="Start `digitline up`, or `digitline scheduler`: it sends again what is queued or was left by a worker.",
        )
    return "somebody looks after every batch"


def _jobs(settings: Settings) -> str:
    with _ledger(settings) as database:
        pause, paused, troubled = pauses.of_line(database), audit.paused(database), audit.troubled(database)
    if pause is not None:
        raise LineError(f"The line is {pause}.", mend="`digitline resume --all` lets it go on.")
    if paused:
        raise LineError(
            f"Jobs are paused: {_listed(paused)}.",
            mend="`digitline status JOB` says why; `digitline resume JOB` lets it go on, `digitline cancel JOB` ends it.",
        )
    if troubled:
        raise LineError(
            "Jobs have trouble: " + " ".join(f"{job}: {trouble}" for job, trouble in troubled.items()),
            mend="Mend what they say; they go on by themselves.",
        )
    return "no job waits for a person"


def _claims(settings: Settings) -> str:
    old = time.time() - _CLAIMED_LONG_AGO
    claims = [path.name for path in settings.claimed_folder.iterdir() if path.lstat().st_ctime < old]
    with _ledger(settings) as database:
        orphans = sorted({*claims} - jobs.claims_with_a_job(database, claims))
    if orphans:
        raise LineError(
            f"Folders in {settings.claimed_folder} have no job: {', '.join(orphans)}.",
            mend="Start the scheduler, which makes jobs of them; or move them back into the inbox.",
        )
    return "every claimed folder has its job"


def _hooks(settings: Settings) -> str:
    with _ledger(settings) as database:
        untold = notices.undelivered(database)
    if untold:
        what = ", ".join(f"{one.address} {one.count} ({_STATES[one.state]}: {one.error})" for one in untold)
        raise LineError(
            f"Hooks did not take what they were told: {what}.",
            mend="Mend the consumer, or DIGITLINE_WEBHOOK_URL. What waits is told again; what is given up, "
            "`digitline status` still shows.",
        )
    return "every hook takes what it is told" if settings.hooks else "none is set"


_STATES = {NoticeState.WAITING: "to be tried again", NoticeState.GIVEN_UP: "given up"}


def _listed(numbers: list[int]) -> str:
    """Name some jobs; of very many the first."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    return shown if len(numbers) <= _SHOWN else f"{shown} and {len(numbers) - _SHOWN} more"


def _redis(settings: Settings) -> str:
    with closing(Inspector(settings)) as inspector:
        inspector.ping()
        return ", ".join(f"{depth} waiting in {queue}" for queue, depth in inspector.depths().items())


def _workers(settings: Settings) -> str:
    with closing(Line.open(settings)) as line:
        pulse = health.feel(line)
    if pulse.problem is not None:
        raise LineError(pulse.problem)
    if not pulse.workers:
        raise LineError("No worker answers.", mend="Start the line with `digitline up`, or `digitline worker`.")
    return ", ".join(worker.name for worker in pulse.workers)
