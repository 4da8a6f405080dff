"""Notices again: how each of them stands, and those that were given up told once more, because a person says so."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, select, update

from core import clock, tables
from core.database import Database
from core.errors import NoticeNotFound
from core.words import NoticeState

_notices, _hooks = tables.notices, tables.hooks


@dataclass(frozen=True, slots=True)
class Standing:
    """How a notice stands, for people."""

    id: str
    job_id: int
    #: Scheme, host and port of the hook.
    address: str
    #: What is told, such as `job.done`.
    kind: str
    state: NoticeState
    created_at: datetime
    tries: int
    #: When it was tried last.
    tried_at: datetime | None
    #: When it is tried next, where it waits.
    next_at: datetime | None
    #: Why the last try failed.
    error: str | None
    #: Whether its hook is still set; where not, nobody tells it.
    hook_is_set: bool


def standing(
    database: Database, states: Collection[NoticeState], limit: int, job_id: int | None = None
) -> list[Standing]:
    """Notices in these states, the newest first.

    Args:
        database: the ledger.
        states: which are wanted.
        limit: of them at the most.
        job_id: of this job alone.
    """
    chosen = select(_notices, _hook_is_set().label("hook_is_set")).where(_notices.c.state.in_(states))
    if job_id is not None:
        chosen = chosen.where(_notices.c.job_id == job_id)
    newest = chosen.order_by(_notices.c.created_at.desc(), _notices.c.id).limit(limit)
    with database.read() as connection:
        return [_standing(row) for row in connection.execute(newest)]


def tell_again(database: Database, ids: Collection[str] = (), job_id: int | None = None) -> list[str]:
    """Let notices that were given up be told from the start, word for word and by the same ids.

    Args:
        database: the ledger.
        ids: of the notices; none: of all that were given up.
        job_id: of this job alone.

    Returns:
        Ids of those that are told again; one whose hook is no longer set is not.

    Raises:
        NoticeNotFound: one of the ids is that of no notice that was given up.
    """
    given_up = [_notices.c.state == NoticeState.GIVEN_UP.value]
    given_up += [_notices.c.id.in_(ids)] if ids else []
    given_up += [_notices.c.job_id == job_id] if job_id is not None else []
    # Its age begins anew, too, or the first try that fails would be the last.
    again = {"state": NoticeState.WAITING.value, "next_at": clock.now(), "created_at": clock.now(), "tries": 0}
    with database.begin() as connection:
        found = set(connection.scalars(select(_notices.c.id).where(*given_up).with_for_update()))
        if lost := sorted(set(ids) - found):
            raise NoticeNotFound(f"There is no notice {lost[0]!r} that was given up.")
        told = update(_notices).where(*given_up, _hook_is_set()).values(again).returning(_notices.c.id)
        return sorted(connection.scalars(told))


def _hook_is_set() -> ColumnElement[bool]:
    return exists().where(_hooks.c.sha256 == _notices.c.hook)


def _standing(row: Row[Any]) -> Standing:
    waits = row.state == NoticeState.WAITING.value
    return Standing(
        id=row.id,
        job_id=row.job_id,
        address=row.address,
        kind=json.loads(row.body)["type"],
        state=NoticeState(row.state),
        created_at=row.created_at,
        tries=row.tries,
        tried_at=row.tried_at,
        next_at=row.next_at if waits else None,
        error=row.error,
        hook_is_set=row.hook_is_set,
    )
