"""Tests that take minutes; they run where they are asked for by name, `python -m pytest tests/endurance`."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder out unless the command line names it or something in it."""
    named = [Path(str(argument).partition("::")[0]).absolute() for argument in config.args]
    return None if any(path == FOLDER or FOLDER in path.parents for path in named) else True
