"""A line on real servers, with a shipped model in its ledger and nobody who scores."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.ledger import batches, models
from core.settings import Settings
from core.vocabulary import Job, Lease, Outcome, Prediction, Reason, Rejection, Verdict
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.scheduler.consumers import SECRET, Consumer, consumer


@pytest.fixture
def line(settings: MakeSettings, sqlite_url: str, redis_url: str) -> Iterator[Line]:
    """A line whose inbox settles at once."""
    line = Line.open(
        settings(
            database_url=sqlite_url,
            broker_url=redis_url,
            batch_size=2,
            settle_time=0.0,
            resend_after=0.001,
            express_limit=4,
        )
    )
    models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
    yield line
    line.close()


@pytest.fixture
def hook() -> Iterator[Consumer]:
    """A consumer that takes everything."""
    with consumer() as heard:
        yield heard


@pytest.fixture
def hook_settings(
    settings: MakeSettings, database_url: str, redis_url: str, hook: Consumer, tmp_path: Path
) -> Settings:
    """Settings of a line on either database that tells the hook."""
    return settings(
        database_url=database_url,
        broker_url=redis_url,
        sweep_interval=0.05,
        scan_interval=0.05,
        webhook_url=hook.url,
        webhook_secret=SECRET,
        crash_points=tmp_path / "points",
    )


def score(line: Line, job: Job, reject: frozenset[str] = frozenset()) -> None:
    """Record every open batch of a job as a worker would, all of it read as a 1."""
    for batch in batches.of_job(line.database, job.id):
        lease = batches.claim(line.database, batch.id, worker="test", lease_time=60, max_attempts=3)
        if isinstance(lease, Lease):
            batches.finish(line.database, lease, outcome(lease, reject))


def outcome(lease: Lease, reject: frozenset[str]) -> Outcome:
    """Predictions for all paths but those to reject."""
    paths = dict(enumerate(lease.manifest.paths))
    return Outcome(
        [
            Prediction(at, path, "0" * 64, 1, 0.9, 0.8, Verdict.DIGIT, lease.manifest.true_label(at))
            for at, path in paths.items()
            if path not in reject
        ],
        [
            Rejection(at, path, Reason.EMPTY, "The file is empty.", lease.manifest.true_label(at))
            for at, path in paths.items()
            if path in reject
        ],
        [],
    )


def pictures(folder: Path, *names: str) -> Path:
    """Write files of some bytes; returns the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    return folder


Nest = Callable[[Path, int], str]


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Nest]:
    """Makes a file `a.png` that many folders below a new folder, and returns the path between them."""

    def make(root: Path, depth: int) -> str:
        root.mkdir()
        at = os.open(root, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("a", dir_fd=at)
            below = os.open("a", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("a.png", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
        return "/".join(["a"] * depth)

    yield make
    # pytest removes old folders with shutil, which recurses and gives up.
    subprocess.run(["rm", "-rf", tmp_path], check=True)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; for a while this process may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
