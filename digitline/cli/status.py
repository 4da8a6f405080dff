"""The verb that shows where everything stands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from core import room
from core.errors import DigitlineError
from core.ledger import figures, notices, pauses
from core.ledger import jobs as job_ledger
from core.ledger import results as result_ledger
from core.vocabulary import WAIT, Job, JobState
from digitline.caveat import accuracy_caveat
from digitline.cli.options import Json
from digitline.cli.screen import Cell, duration, facts, moment, percent, rate, screen, table
from digitline.client import ready_line
from digitline.health import Pulse, feel
from digitline.pace import images_per_second, seconds_left, seconds_worked
from digitline.records import as_json, job_record, pause_record
from scheduler.producer import Line

#: Seconds between two looks of `--watch`; the workers' answers take one more.
_INTERVAL = 1.0

_STYLES = {
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.PAUSED: "magenta",
}

_COUNTS = ("found", "scored", "rejected", "quarantined", "accuracy")
#: Columns of the list of jobs that a narrow terminal goes without, and how wide one must be to have them.
_EXTRA = ("rate", "time left", "submitted")
_WIDE = 112


def status(
    job: Annotated[
        str | None,
        typer.Argument(metavar="JOB", help="Its number or its name; without one, all jobs.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second, until interrupted.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Jobs to show, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """Show jobs, queues and workers, or one job in detail.

    Where Redis does not answer, queues and workers are null, and the jobs are shown all the same.
    With `--watch JOB` the command ends with the job; `--watch --json` prints one object a line.
    """
    line = ready_line()
    looks = _looks(line, job, limit, watch)
    if json:
        for jobs, pulse in looks:
            print(as_json(_record(line, jobs, pulse, detailed=job is not None)), flush=True)
        return
    console = screen()
    pictures = (
        _picture(line, jobs, pulse, detailed=job is not None, wide=console.width >= _WIDE) for jobs, pulse in looks
    )
    if not (watch and console.is_terminal):
        for picture in pictures:
            console.print(picture)
        return
    with Live(console=console, auto_refresh=False) as live:
        for picture in pictures:
            live.update(picture, refresh=True)


def summary_of(job: Job) -> RenderableType:
    """One job, its accounts and how fast it went."""
    accounts, labelled = job.accounts, job.labelled
    images = f"{accounts.found:,} found, {accounts.scored:,} scored, {accounts.rejected:,} rejected"
    right = f"{percent(job.accuracy)} ({job.correct:,} of {labelled:,} labelled)" if labelled else ""
    caveat = accuracy_caveat(job)
    return facts(
        [
            ("job", f"{job.id} {job.name}"),
            ("state", job.state.value + (f": {job.error}" if job.error else "")),
            ("trouble", job.trouble),
            ("images", f"{images}, {accounts.quarantined:,} quarantined, {accounts.open:,} open"),
            ("accuracy", f"{right}: {caveat}" if caveat else right),
            ("reviewed", f"{job.reviewed:,}" if job.reviewed else ""),
            ("rate", rate(images_per_second(job))),
            ("time", duration(seconds_worked(job))),
            ("time left", duration(seconds_left(job))),
            ("batches", f"{job.batches:,} on queue {job.queue}"),
            ("priority", str(job.priority) if job.priority else ""),
            ("may refuse", percent(job.max_rejected) if job.max_rejected is not None else ""),
            ("split", "several digits in a picture are read as one string" if job.split else ""),
            ("model", job.model),
            ("escalated", f"{job.escalated:,} ({percent(job.escalated / accounts.scored)})" if job.escalated else ""),
            ("source", job.source),
            ("submitted", f"{moment(job.created_at)} by {job.triggered_by} {job.schedule or ''}".rstrip()),
            ("started", moment(job.started_at)),
            ("finished", moment(job.finished_at)),
        ]
    )


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Examples: digitline status    digitline status 12 --watch    digitline status --json")(status)


def _looks(line: Line, reference: str | None, limit: int, watch: bool) -> Iterator[tuple[list[Job], Pulse]]:
    """What there is to see: once, or again and again while something may change."""
    while True:
        found = (
            job_ledger.newest(line.database, limit)
            if reference is None
            else [job_ledger.find(line.database, reference)]
        )
        yield found, feel(line)
        if not watch or (reference is not None and found[0].state.ended):
            return
        time.sleep(_INTERVAL)


def _record(line: Line, jobs: list[Job], pulse: Pulse, *, detailed: bool) -> dict[str, object]:
    record: dict[str, object] = {
        "jobs": [job_record(job, **(_counts(line, job) if detailed else {})) for job in jobs],
        "paused": pause_record(pauses.of_line(line.database)),
        "waiting": _waiting(line),
        "no_room": [f"{error} {error.mend}" for error in _lacking(line)],
        "untold": sum(one.count for one in notices.undelivered(line.database)),
        "queues": pulse.depths,
        "workers": None if pulse.workers is None else [asdict(worker) for worker in pulse.workers],
    }
    return record if pulse.problem is None else {**record, "problem": pulse.problem}


def _counts(line: Line, job: Job) -> dict[str, object]:
    verdicts = result_ledger.verdict_counts(line.database, job.id)
    rejections = result_ledger.rejection_counts(line.database, job.id)
    return {
        "verdicts": {verdict.value: count for verdict, count in verdicts.items()},
        "rejections": {reason.value: count for reason, count in rejections.items()},
        "stages": result_ledger.stage_seconds(line.database, job.id),
    }


def _picture(line: Line, jobs: list[Job], pulse: Pulse, *, detailed: bool, wide: bool) -> RenderableType:
    if not detailed:
        listed = _list_of(jobs, wide=wide) if jobs else Text("No jobs yet.")
        return Group(listed, *_caveats(jobs), Text(), *_line_facts(line, pulse))
    parts: list[RenderableType] = [summary_of(jobs[0]), Text()]
    verdicts = result_ledger.verdict_counts(line.database, jobs[0].id)
    reasons = result_ledger.rejection_counts(line.database, jobs[0].id)
    for title, counts in (("verdict", verdicts), ("rejected because", reasons)):
        rows = [(word.value, f"{count:,}") for word, count in counts.items() if count]
        if rows:
            parts += [table((title, "images"), rows, numbers=["images"]), Text()]
    stages = result_ledger.stage_seconds(line.database, jobs[0].id)
    if stages:
        parts += [_stages(stages), Text()]
    return Group(*parts, *_line_facts(line, pulse))


def _stages(seconds: Mapping[str, float]) -> RenderableType:
    """Where the workers' time went; while a batch waits, none of them works on it."""
    work = sum(spent for stage, spent in seconds.items() if stage != WAIT) or 1.0
    rows = [
        (stage, f"{spent:,.2f}", "" if stage == WAIT else percent(spent / work)) for stage, spent in seconds.items()
    ]
    return table(("stage", "seconds", "share of the work"), rows, numbers=["seconds", "share of the work"])


def _list_of(jobs: list[Job], *, wide: bool) -> RenderableType:
    columns = ("job", "name", "state", *_COUNTS, *(_EXTRA if wide else ()))
    numbers = [column for column in columns if column not in ("name", "state")]
    return table(columns, (_row(job)[: len(columns)] for job in jobs), numbers=numbers)


def _caveats(jobs: list[Job]) -> list[RenderableType]:
    """What the star beside an accuracy means, where there is one."""
    starred = any(accuracy_caveat(job) for job in jobs)
    return [Text("* of the least certain images, as people reviewed them; not that of the job")] if starred else []


def _row(job: Job) -> list[Cell]:
    accounts = job.accounts
    counts = (accounts.found, accounts.scored, accounts.rejected, accounts.quarantined)
    return [
        job.id,
        job.name,
        Text(job.state.value, style=_STYLES.get(job.state, ""), no_wrap=True),
        *(f"{count:,}" for count in counts),
        percent(job.accuracy) + ("*" if accuracy_caveat(job) else ""),
        rate(images_per_second(job)),
        duration(seconds_left(job)),
        moment(job.created_at),
    ]


def _paused(line: Line) -> list[RenderableType]:
    """That the whole line is paused, since when, by whom and why; nothing while it runs."""
    pause = pauses.of_line(line.database)
    if pause is None:
        return []
    return [Text(f"The line is {pause}, since {moment(pause.since)}; `digitline resume --all`.", style="magenta")]


def _untold(line: Line) -> list[RenderableType]:
    """That hooks do not take what they are told; nothing where they do, or where there are none."""
    untold = sum(one.count for one in notices.undelivered(line.database))
    if not untold:
        return []
    return [Text(f"Notices that hooks did not take: {untold:,}; `digitline doctor` says why.", style="yellow")]


def _no_room(line: Line) -> list[RenderableType]:
    """Where the line has no room, and what to do about it."""
    return [Text(f"{error} {error.mend}", style="red") for error in _lacking(line)]


def _lacking(line: Line) -> list[DigitlineError]:
    return room.lacking(line.settings, line.database, line.inspector)


def _waiting(line: Line) -> dict[str, int]:
    """Batches that wait for a worker, by queue, whether Redis holds their message or not."""
    return {queue.value: backlog.batches for queue, backlog in figures.standing(line.database).backlogs.items()}


def _line_facts(line: Line, pulse: Pulse) -> list[RenderableType]:
    return [*_paused(line), *_no_room(line), *_untold(line), _queues(line, pulse)]


def _queues(line: Line, pulse: Pulse) -> RenderableType:
    waiting = ("batches waiting", _by_queue(_waiting(line)))
    if pulse.depths is None or pulse.workers is None:
        return Group(facts([waiting]), Text(f"Queues and workers are not known: {pulse.problem}", style="yellow"))
    online = ", ".join(f"{worker.name} ({worker.processes or '?'} processes)" for worker in pulse.workers)
    return facts([waiting, ("of them in Redis", _by_queue(pulse.depths)), ("workers", online or "none is online")])


def _by_queue(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())
