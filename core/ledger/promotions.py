"""The history of what was in production: when, by whom, and what allowed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, null, select

from core import clock, tables
from core.database import Database

#: Who promotes where nobody says.
NOBODY = "digitline"
_promotions = tables.promotions


class Kind(StrEnum):
    """What allowed a promotion."""

    FIRST = "first"  # nothing was in production
    GATE = "gate"  # no digit is read worse on the evaluation sets
    FORCED = "forced"  # a person's reason
    ROLLBACK = "rollback"  # it was in production before
    SUCCESSOR = "successor"  # the shipped model before it is gone


@dataclass(frozen=True, slots=True)
class Grounds:
    """What allowed a promotion, and who says so."""

    kind: Kind = Kind.GATE
    #: For people to read.
    promoted_by: str = NOBODY
    #: Why it was forced.
    reason: str | None = None
    #: What the gate measured.
    checks: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """One model's going into production."""

    model_id: int
    promoted_at: datetime
    grounds: Grounds


def note(connection: Connection, model_id: int, grounds: Grounds) -> None:
    """Write a promotion; part of the caller's transaction."""
    values = {
        "model_id": model_id,
        "kind": grounds.kind.value,
        "promoted_at": clock.now(),
        "promoted_by": grounds.promoted_by,
        "reason": grounds.reason,
        "checks": null() if grounds.checks is None else dict(grounds.checks),
    }
    connection.execute(insert(_promotions).values(values))


def history(database: Database) -> list[Promotion]:
    """Every promotion, the first one first."""
    with database.read() as connection:
        rows = connection.execute(select(_promotions).order_by(_promotions.c.id))
        return [
            Promotion(row.model_id, row.promoted_at, Grounds(Kind(row.kind), row.promoted_by, row.reason, row.checks))
            for row in rows
        ]


def before_present(connection: Connection) -> int | None:
    """Id of the model that a rollback returns to; None where there is none.

    A rollback takes back the latest promotion that is not taken back yet, so two of them lead two promotions back,
    and not to the model that was just left.
    """
    standing: list[int] = []
    for model_id, kind in connection.execute(
        select(_promotions.c.model_id, _promotions.c.kind).order_by(_promotions.c.id)
    ):
        if kind == Kind.ROLLBACK:
            standing.pop()
        else:
            standing.append(model_id)
    return standing[-2] if len(standing) > 1 else None
