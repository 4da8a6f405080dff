"""The servers this process talks to, opened once."""

from __future__ import annotations

import os
from functools import cache

from core.settings import Settings, get_settings
from scheduler.producer import Line


def open_line() -> Line:
    """The servers that this process's settings name; nothing is connected until it is needed."""
    # By process: connections must not cross a fork.
    return _line_of(os.getpid(), get_settings())


@cache
def _line_of(_process: int, settings: Settings) -> Line:
    return Line.open(settings)
