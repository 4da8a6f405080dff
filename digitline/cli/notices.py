"""The verbs about what hooks are told: what waits or was given up, and telling it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from core.ledger import jobs as job_ledger
from core.ledger import retelling
from core.ledger.retelling import Standing
from core.words import NoticeState
from digitline.cli.options import Json
from digitline.cli.screen import counted, moment, screen, table, tell
from digitline.client import ready_line
from digitline.records import as_json, iso
from scheduler.producer import Line

verbs = typer.Typer(no_args_is_help=True, help="What hooks are told: list it, and tell again what was given up.")

OfJob = Annotated[
    str | None, typer.Option("--job", help="Of this job alone, by its number or its name.", show_default=False)
]

#: More than there ever are.
_ALL = 1_000_000

_STATES = {
    NoticeState.WAITING: "waits",
    NoticeState.DELIVERED: "delivered",
    NoticeState.GIVEN_UP: "given up",
}


@verbs.command("list", epilog="Examples: digitline notices list    digitline notices list --job 12 --all --json")
def list_notices(
    job: OfJob = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that were delivered.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Notices to show, the newest first.")] = 100,
    json: Json = False,
) -> None:
    """List the notices that wait or were given up: of which job, for whom, how often tried, why it failed."""
    line = ready_line()
    states = [state for state in NoticeState if all_of_them or state is not NoticeState.DELIVERED]
    found = retelling.standing(line.database, states, limit, _job_id(line, job))
    tell({"notices": [_record(notice) for notice in found]}, _table(found) if found else "No notices.", json=json)


@verbs.command(epilog="Examples: digitline notices resend --all    digitline notices resend msg_6f1c...")
def resend(
    notices: Annotated[
        list[str] | None, typer.Argument(metavar="NOTICE", help="Their ids.", show_default=False)
    ] = None,
    job: OfJob = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    json: Json = False,
) -> None:
    """Tell again what was given up, word for word and by the same id, so that a consumer knows what it has taken.

    The scheduler does it, for as long and as often as with a new notice. One whose hook is no longer set stays given up.
    """
    if bool(notices) + (job is not None) + all_of_them != 1:
        raise typer.BadParameter("Say which: their ids, or --job, or --all.")
    line = ready_line()
    job_id = _job_id(line, job)
    chosen = retelling.standing(line.database, [NoticeState.GIVEN_UP], _ALL, job_id)
    again = set(retelling.tell_again(line.database, notices or (), job_id))
    unset = [one.id for one in chosen if (not notices or one.id in notices) and one.id not in again]
    if json:
        print(as_json({"resent": sorted(again), "hook_not_set": sorted(unset)}))
        return
    screen().print(f"Told again by the scheduler: {counted(len(again), 'notice')}.")
    if unset:
        lost = counted(len(unset), "notice")
        screen().print(f"Not told again: {lost}; no such hook is set (DIGITLINE_WEBHOOK_URL of the scheduler).")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(verbs, name="notices")


def _job_id(line: Line, job: str | None) -> int | None:
    return None if job is None else job_ledger.find(line.database, job).id


def _table(found: Sequence[Standing]) -> Table:
    columns = ("notice", "job", "says", "hook", "state", "tries", "last try", "next try", "error")
    rows = (
        (
            notice.id,
            notice.job_id,
            notice.kind,
            notice.address if notice.hook_is_set else f"{notice.address} (no longer set)",
            _STATES[notice.state],
            notice.tries,
            moment(notice.tried_at),
            moment(notice.next_at),
            notice.error,
        )
        for notice in found
    )
    return table(columns, rows, numbers=("job", "tries"))


def _record(notice: Standing) -> dict[str, object]:
    """A notice as an object."""
    times = {name: iso(getattr(notice, name)) for name in ("created_at", "tried_at", "next_at")}
    return {**asdict(notice), "state": notice.state.value, **times}
