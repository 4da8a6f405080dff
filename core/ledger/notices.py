"""Notices: what hooks are told when a job ends; written with the end itself, claimed by one scheduler for each try."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, not_, or_, select, update

from core import clock, tables
from core.database import Database
from core.hooks import Hook
from core.ledger import jobs
from core.vocabulary import Job
from core.words import NoticeState

_notices, _hooks, _jobs = tables.notices, tables.hooks, tables.jobs

#: Seconds for which the notice of a drop waits for its filing, so that it says where the drop lies.
_FILING = 60.0
#: Seconds for which a notice that was given up is spoken of.
_LATELY = 7 * 86_400.0
#: Due notices of a hook of which another scheduler may be trying some.
_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """What a hook is to be told, in the hands of one scheduler."""

    id: str
    job_id: int
    #: JSON, the same at every try.
    body: str
    #: 1 for the first try.
    tries: int
    #: When this try began, and how old the notice was then, in seconds; both by the database's clock.
    tried_at: datetime
    age: float


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Notices that a hook has not taken."""

    #: Scheme, host and port of the hook.
    address: str
    state: NoticeState
    count: int
    #: Why the last try of one of them failed.
    error: str | None


def set_hooks(database: Database, hooks: Collection[Hook]) -> None:
    """Have these hooks told from now on, and no others; what others were still to be told is given up."""
    wanted = {hook.sha256: hook for hook in hooks}
    with database.read() as connection:
        known = set(connection.scalars(select(_hooks.c.sha256)))
    if known == wanted.keys():
        return
    with database.begin() as connection:
        connection.execute(delete(_hooks))
        if wanted:
            rows = [{"sha256": sha256, "address": hook.address} for sha256, hook in wanted.items()]
            connection.execute(insert(_hooks), rows)
        gone = (_notices.c.state == NoticeState.WAITING.value, _notices.c.hook.not_in(wanted))
        why = {"state": NoticeState.GIVEN_UP.value, "error": "its hook is no longer set"}
        connection.execute(update(_notices).where(*gone).values(why))


def announce(connection: Connection, job_id: int) -> None:
    """Write what each hook is told of a job that has just ended or paused; part of the transaction that does it."""
    hooks = connection.execute(select(_hooks.c.sha256, _hooks.c.address)).all()
    if not hooks:
        return
    body = _as_json(_body(jobs.read(connection, job_id)))
    for hook in hooks:
        values = {
            "id": f"msg_{secrets.token_hex(16)}",
            "job_id": job_id,
            "hook": hook.sha256,
            "address": hook.address,
            "state": NoticeState.WAITING.value,
            "body": body,
            "created_at": clock.now(),
            "next_at": clock.now(),
            "tries": 0,
        }
        connection.execute(insert(_notices).values(values))


def claim_due(database: Database, hook: Hook, lease_time: float) -> Notice | None:
    """Take the notice that a hook is to be told next; the try counts from here, whatever happens.

    Args:
        database: the ledger.
        hook: which.
        lease_time: seconds until somebody else may try.

    Returns:
        None where nothing is due.
    """
    with database.read() as connection:
        due = connection.execute(_due().where(_notices.c.hook == hook.sha256)).all()
    for row in due:
        notice = _claim(database, row, lease_time)
        if notice is not None:
            return notice
    return None


def delivered(database: Database, notice: Notice) -> None:
    """Note that a hook took a notice."""
    _note(database, notice, {"state": NoticeState.DELIVERED.value, "error": None})


def failed(database: Database, notice: Notice, error: str, again_in: float | None) -> None:
    """Note that a try failed.

    Args:
        database: the ledger.
        notice: of the try; where somebody else tried since, nothing is noted.
        error: why, for people.
        again_in: seconds until the next try; None: it is given up.
    """
    if again_in is None:
        _note(database, notice, {"state": NoticeState.GIVEN_UP.value, "error": error})
    else:
        _note(database, notice, {"next_at": clock.seconds_from_now(again_in), "error": error})


def undelivered(database: Database, seconds: float = _LATELY) -> list[Undelivered]:
    """What hooks have not taken: notices of which a try failed, and those given up in the last so many seconds."""
    tried = and_(_notices.c.state == NoticeState.WAITING.value, _notices.c.error.is_not(None))
    lately = _notices.c.next_at > clock.seconds_from_now(-seconds)
    given_up = and_(_notices.c.state == NoticeState.GIVEN_UP.value, lately)
    by = (_notices.c.address, _notices.c.state)
    chosen = select(*by, func.count().label("number"), func.max(_notices.c.error).label("error"))
    with database.read() as connection:
        rows = connection.execute(chosen.where(or_(tried, given_up)).group_by(*by).order_by(*by))
        return [Undelivered(row.address, NoticeState(row.state), row.number, row.error) for row in rows]


def _due() -> Any:
    """The notices that are due, the oldest first; of a drop once it is filed, or could not be for a while."""
    filed = or_(not_(and_(*jobs.UNFILED)), _notices.c.created_at < clock.seconds_from_now(-_FILING))
    waiting = (_notices.c.state == NoticeState.WAITING.value, _notices.c.next_at <= clock.now())
    columns = (*_notices.c, _jobs.c.source, _jobs.c.filed_at)
    chosen = select(*columns).join(_jobs, _jobs.c.id == _notices.c.job_id).where(*waiting, filed)
    return chosen.order_by(_notices.c.next_at, _notices.c.id).limit(_AT_ONCE)


def _claim(database: Database, row: Row[Any], lease_time: float) -> Notice | None:
    # Before the first try: once it is out, a notice says the same for ever, also when it is told again.
    said = json.loads(row.body)
    body = row.body if "filed" in said["data"] else _as_json(_with_place(said, row))
    taken = {
        "tries": row.tries + 1,
        "tried_at": clock.now(),
        "next_at": clock.seconds_from_now(lease_time),
        "body": body,
    }
    unchanged = (_notices.c.id == row.id, _notices.c.tries == row.tries, _notices.c.next_at == row.next_at)
    waiting = _notices.c.state == NoticeState.WAITING.value
    claimed = update(_notices).where(*unchanged, waiting).values(taken).returning(_notices.c.tried_at)
    with database.begin() as connection:
        tried_at = connection.execute(claimed).scalar_one_or_none()
    if tried_at is None:
        return None
    age = (tried_at - row.created_at).total_seconds()
    return Notice(row.id, row.job_id, body, row.tries + 1, tried_at, age)


def _note(database: Database, notice: Notice, values: Mapping[str, object]) -> None:
    same_try = (_notices.c.id == notice.id, _notices.c.tries == notice.tries)
    with database.begin() as connection:
        connection.execute(update(_notices).where(*same_try).values(values))


def _body(job: Job) -> dict[str, Any]:
    """A job at its end or pause; `type` and `timestamp` as Standard Webhooks recommends."""
    return {
        "type": f"job.{job.state.value}",
        "timestamp": _iso(job.finished_at if job.finished_at is not None else job.paused_at),
        "data": {
            "id": job.id,
            "name": job.name,
            "state": job.state.value,
            "error": job.error,
            "accounts": {**asdict(job.accounts), "open": job.accounts.open},
            "labelled": job.labelled,
            "correct": job.correct,
            "accuracy": job.accuracy,
            "model": job.model,
            "triggered_by": job.triggered_by.value,
            "schedule": job.schedule,
            "created_at": _iso(job.created_at),
            "started_at": _iso(job.started_at),
            "finished_at": _iso(job.finished_at),
        },
    }


def _with_place(body: dict[str, Any], row: Row[Any]) -> dict[str, Any]:
    """The body, and where the images lie now; those of a drop that is filed, with summary and table beside them."""
    return {**body, "data": {**body["data"], "source": row.source, "filed": row.filed_at is not None}}


def _as_json(body: Mapping[str, Any]) -> str:
    """In characters that every parser takes; a byte of a name that is no UTF-8 becomes U+FFFD."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
