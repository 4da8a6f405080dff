"""Lengths of time as people write them: `90d`, `12h`, `4w`."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WRITTEN = re.compile(r"([1-9][0-9]{0,5})([mhdw])", re.ASCII)


def duration(text: str) -> timedelta:
    """The length of time that somebody wrote: a whole number and m, h, d or w, for minutes, hours, days or weeks.

    Raises:
        ValueError: it is not written so; the message names it.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError(f"{text!r} is no length of time: write a whole number and m, h, d or w, such as 90d")
    return timedelta(seconds=int(written[1]) * _SECONDS[written[2]])


def as_text(length: timedelta) -> str:
    """A length of time as `duration` reads it, in the largest unit of which it is a whole number; seconds are dropped."""
    seconds = int(length.total_seconds())
    unit = next((unit for unit in reversed(_SECONDS) if seconds % _SECONDS[unit] == 0), "m")
    return f"{seconds // _SECONDS[unit]}{unit}"
