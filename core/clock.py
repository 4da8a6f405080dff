"""Time as the database tells it; a host's clock may be hours off, and a lease must not care."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from core.columns import UtcDateTime
from core.database import Database


class from_now(FunctionElement[Any]):  # noqa: N801  # as SQL spells a function
    """The database's present moment plus some seconds, which may be negative."""

    type = UtcDateTime()
    inherit_cache = True
    name = "from_now"


def now() -> ColumnElement[Any]:
    """The database's present moment."""
    return seconds_from_now(0.0)


def read(database: Database) -> datetime:
    """Ask the database what its present moment is."""
    with database.read() as connection:
        moment: datetime = connection.execute(select(now())).scalar_one()
    return moment


def seconds_from_now(seconds: float) -> ColumnElement[Any]:
    """The moment `seconds` after the database's present one."""
    return from_now(bindparam(None, seconds, Float, unique=True))


@compiles(from_now, "sqlite")
def _sqlite(element: from_now, compiler: SQLCompiler, **options: Any) -> str:
    # As SQLAlchemy writes a datetime, with six digits after the point, so that moments compare as text.
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"


@compiles(from_now, "postgresql")
def _postgresql(element: from_now, compiler: SQLCompiler, **options: Any) -> str:
    # clock_timestamp, not now(): a statement that waited for a lock must see the time at which it got it.
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"
