"""A drop that changes after it was claimed is scored as it is when a worker reads it, and the ledger says which bytes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from core.ledger import jobs, results
from core.sources import to_path
from core.vocabulary import Job
from tests.chaos.scene import Scene
from tests.faults.conftest import PATIENCE, finished, workers_frozen
from tests.oracle import Expected, check_job
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)


def test_of_files_that_are_rewritten_in_place_the_hash_is_that_of_the_bytes_that_were_scored(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    inbox = scene.settings.inbox_folder
    paths = sorted(quiet)
    written = {path: (digits / other).read_bytes() for path, other in zip(paths, reversed(paths), strict=True)}
    with workers_frozen(scene):
        shutil.copytree(digits, inbox / "rewritten")
        job = wait_until(lambda: job_named(scene, "rewritten"), "the drop is a job", PATIENCE)
        for path, content in written.items():
            (to_path(job.source) / path).write_bytes(content)
    expected = {path: quiet[other] for path, other in zip(paths, reversed(paths), strict=True)}
    assert expected != quiet
    check_job(scene.database, finished(scene, job).id, expected)
    hashes = {result.path: result.sha256 for result in results.of_job(scene.database, job.id)}
    assert hashes == {path: hashlib.sha256(content).hexdigest() for path, content in written.items()}


def job_named(scene: Scene, name: str) -> Job | None:
    """The job of a drop, once it is one."""
    return next((job for job in jobs.newest(scene.database, 100) if job.name == name), None)
