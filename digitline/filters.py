"""How templates write figures, moments and names; the report and the web page speak alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from core.plain import printable
from digitline.caveat import accuracy_caveat
from digitline.cli.screen import duration, percent


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,.0f}"


def moment(when: datetime) -> str:
    """A moment in UTC, for whoever reads it wherever."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(when: datetime) -> str:
    """A moment in UTC to the minute, for where it stands beside many others."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def words(code: str) -> str:
    """A verdict's or a reason's code as people read it."""
    return code.replace("_", " ")


#: By the name that templates give them.
FILTERS: Mapping[str, Callable[..., str]] = {
    "printable": printable,
    "percent": percent,
    "count": count,
    "moment": moment,
    "minute": minute,
    "duration": duration,
    "words": words,
    "caveat": accuracy_caveat,
}
