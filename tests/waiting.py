"""Waiting for what must become true; tests never sleep for a while and hope."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    condition: Callable[[], Value], description: str, timeout: float = 30.0, interval: float = 0.05
) -> Value:
    """Ask again and again until the condition holds.

    Args:
        condition: asked every `interval` seconds, and once more at the end.
        description: what is waited for, as the error says it.
        timeout: seconds.
        interval: seconds.

    Returns:
        The condition's first truthy value.

    Raises:
        AssertionError: it was not true in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        last_chance = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if last_chance:
            raise AssertionError(f"Not within {timeout:g} s: {description}. The last value was {value!r}.")
        time.sleep(interval)
