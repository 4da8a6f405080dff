"""Jobs scored as a worker scores them: what is recorded has the SHA-256 of the bytes that lie there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from core.ledger import batches
from core.sources import to_path
from core.vocabulary import Job, Lease, Prediction
from scheduler.producer import Line
from tests.scheduler.conftest import outcome


def score_truly(line: Line, job: Job, reject: frozenset[str] = frozenset()) -> None:
    """Record every open batch of a job; what is to be rejected, or is no plain file, has no hash."""
    root = to_path(job.source)
    for batch in batches.of_job(line.database, job.id):
        lease = batches.claim(line.database, batch.id, worker="test", lease_time=60, max_attempts=3)
        if isinstance(lease, Lease):
            refused = reject | {path for path in lease.manifest.paths if not _is_plain(root / path)}
            found = outcome(lease, refused)
            hashed = [_hashed(root, one) for one in found.predictions]
            batches.finish(line.database, lease, replace(found, predictions=hashed))


def paths_of(line: Line, job: Job) -> list[str]:
    """The files of a job, in their order."""
    return list(batches.paths_of_job(line.database, job.id))


def _hashed(root: Path, one: Prediction) -> Prediction:
    sha256 = hashlib.sha256((root / one.path).read_bytes()).hexdigest()
    return Prediction(one.position, one.path, sha256, one.label, one.confidence, one.margin, one.verdict)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
