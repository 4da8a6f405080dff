"""What the line is at: accounts, batches, jobs, drops, hooks and workers."""

from __future__ import annotations

import time
from contextlib import closing

import redis
from kombu.exceptions import OperationalError

from core.errors import LineError
from core.ledger import audit, jobs, notices, pauses
from core.queues import Inspector, unreachable
from core.settings import Settings
from core.words import NoticeState
from digitline import health
from digitline.doctor.finding import Caution
from digitline.doctor.servers import ledger
from scheduler.producer import Line

#: Times that a sweep should have come by before a batch counts as left alone.
_LEFT_ALONE = 10
#: Seconds after which a claimed folder should have become a job.
_CLAIMED_LONG_AGO = 120.0
#: Seconds for which the scheduler may not turn its loop: listing a drop of a million images takes a while.
_SCHEDULER_SILENCE = 180.0
#: Seconds in which workers must say what they run with.
_PATIENCE = 1.0
#: Jobs named in one finding.
_SHOWN = 10
#: What becomes of a notice that a hook did not take.
_STATES = {NoticeState.WAITING: "to be tried again", NoticeState.GIVEN_UP: "given up"}


def accounts(settings: Settings) -> str:
    """Every job that ended balances, and the counts are those of the rows."""
    with ledger(settings) as database:
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


def batches(settings: Settings) -> str:
    """Somebody looks after every batch that is not scored."""
    patience = _LEFT_ALONE * (settings.resend_after + settings.sweep_interval)
    with closing(Inspector(settings)) as inspector:
        waiting = inspector.waiting() | inspector.held()
        idle = [queue for queue, depth in inspector.depths().items() if not depth]
    with ledger(settings) as database:
        alone = audit.left_alone(database, patience, waiting, idle)
    if alone:
        what = ", ".join(f"{count} of job {job}" for job, count in alone.items())
        raise LineError(
            f"Batches that nobody looks after: {what}.",
            mend="Start `digitline up`, or `digitline scheduler`: it sends again what is queued or was left by a worker.",
        )
    return "somebody looks after every batch"


def jobs_that_wait(settings: Settings) -> str:
    """No job waits for a person, and none has trouble."""
    with ledger(settings) as database:
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


def claims(settings: Settings) -> str:
    """Every drop that was claimed has its job."""
    old = time.time() - _CLAIMED_LONG_AGO
    claims = [path.name for path in settings.claimed_folder.iterdir() if path.lstat().st_ctime < old]
    with ledger(settings) as database:
        orphans = sorted({*claims} - jobs.claims_with_a_job(database, claims))
    if orphans:
        raise LineError(
            f"Folders in {settings.claimed_folder} have no job: {', '.join(orphans)}.",
            mend="Start the scheduler, which makes jobs of them; or move them back into the inbox.",
        )
    return "every claimed folder has its job"


def hooks(settings: Settings) -> str:
    """Whoever is to be told of jobs takes it."""
    with ledger(settings) as database:
        untold = notices.undelivered(database)
    if untold:
        what = ", ".join(f"{one.address} {one.count} ({_STATES[one.state]}: {one.error})" for one in untold)
        raise LineError(
            f"Hooks did not take what they were told: {what}.",
            mend="Mend the consumer, or DIGITLINE_WEBHOOK_URL. What waits is told again; "
            "`digitline notices resend --all` tells once more what was given up.",
        )
    return "every hook takes what it is told" if settings.hooks else "none is set"


def _listed(numbers: list[int]) -> str:
    """Name some jobs; of very many the first."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    return shown if len(numbers) <= _SHOWN else f"{shown} and {len(numbers) - _SHOWN} more"


def scheduler(settings: Settings) -> str:
    """The scheduler turns its loop."""
    mend = "Start it with `digitline up`, or `digitline scheduler`; its log says why it ended."
    if not settings.heartbeat_file.exists():
        raise LineError(f"No scheduler has run in {settings.home_folder}.", mend=mend)
    age = time.time() - settings.heartbeat_file.stat().st_mtime
    if age > _SCHEDULER_SILENCE:
        raise LineError(f"The scheduler has not turned its loop for {age:.0f} s.", mend=mend)
    return f"turned its loop {max(age, 0.0):.0f} s ago"


def workers(settings: Settings) -> str:
    """Workers answer, and have messages come back no sooner than this process's settings say."""
    with closing(Line.open(settings)) as line:
        pulse = health.feel(line)
        if pulse.problem is not None:
            raise LineError(pulse.problem)
        if not pulse.workers:
            raise LineError("No worker answers.", mend="Start the line with `digitline up`, or `digitline worker`.")
        others = _other_timeouts(line)
    if others:
        told = ", ".join(f"{name} {seconds:g} s" for name, seconds in others.items())
        raise Caution(
            f"Workers have messages come back after another time than {settings.visibility_timeout} s: {told}. The "
            "shortest one counts for all.",
            mend="Give every process of the line the same DIGITLINE_VISIBILITY_TIMEOUT, and restart them.",
        )
    return ", ".join(worker.name for worker in pulse.workers)


def _other_timeouts(line: Line) -> dict[str, float]:
    """By worker, the visibility timeout it runs with, where that is not ours; each consumer restores for all."""
    try:
        told = line.app.control.inspect(timeout=_PATIENCE).conf() or {}
    except (OperationalError, redis.RedisError, OSError) as error:
        raise unreachable(error) from error
    ours = line.settings.visibility_timeout
    found = {name: conf.get("broker_transport_options", {}).get("visibility_timeout") for name, conf in told.items()}
    return {name: seconds for name, seconds in sorted(found.items()) if seconds not in (None, ours)}
