"""A line on either database, and a folder of scans for its schedules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.scheduler.conftest import pictures
from tests.scheduler.scheduling import scheduling


@pytest.fixture
def line(settings: MakeSettings, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Line]:
    """A line on either database."""
    with scheduling(settings, database_url, redis_url, tmp_path) as line:
        yield line


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of three files."""
    return pictures(tmp_path / "scans", "1/a.png", "2/b.png", "3/c.png")
