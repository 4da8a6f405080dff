"""A line on either database, and a folder of scans for its schedules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.ledger import models
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.scheduler.conftest import pictures


@pytest.fixture
def line(settings: MakeSettings, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Line]:
    """A line on either database, with a model, whose schedulers look often and die at the points named in a folder."""
    chosen = settings(
        database_url=database_url,
        broker_url=redis_url,
        batch_size=2,
        express_limit=4,
        sweep_interval=0.05,
        scan_interval=0.05,
        crash_points=tmp_path / "points",
    )
    with closing(Line.open(chosen)) as line:
        models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
        yield line


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of three files."""
    return pictures(tmp_path / "scans", "1/a.png", "2/b.png", "3/c.png")
