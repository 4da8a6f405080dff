"""`python -m benchmarks.scale.recording PART OF`: records jobs through the ledger; a job a line in, seconds a line out.

Nothing is read and no network runs: what a worker would have found out is made up, a twentieth of the images rejected.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import event

from core.database import Database
from core.errors import LineError
from core.ledger import batches
from core.settings import get_settings
from core.vocabulary import Cell, Lease, Manifest, Outcome, Prediction, Reason, Rejection, Verdict

#: One image in so many is rejected, uncertain, or read wrongly.
_REJECTED, _UNCERTAIN, _WRONG = 20, 25, 200


def record(database: Database, job_id: int, part: int, of: int) -> Iterator[tuple[float, float]]:
    """Claim and finish every `of`-th batch of a job.

    Yields:
        Seconds that the ledger took for a batch, and for how many of them the job's row was locked.
    """
    settings, locked_at = get_settings(), _locking_times(database)
    for batch in batches.of_job(database, job_id)[part::of]:
        begun = time.perf_counter()
        lease = batches.claim(
            database,
            batch.id,
            worker=f"recorder-{part}",
            lease_time=settings.lease_time,
            max_attempts=settings.max_attempts,
        )
        claimed = time.perf_counter() - begun
        if not isinstance(lease, Lease):
            raise LineError(f"Batch {batch.id} is {lease}.")
        outcome = made_up(lease.manifest)
        begun = time.perf_counter()
        batches.finish(database, lease, outcome)
        now = time.perf_counter()
        yield claimed + now - begun, now - locked_at[-1] if locked_at else 0.0


def _locking_times(database: Database) -> deque[float]:
    """The moment at which a job's row was last locked; none with SQLite, where a transaction locks everything."""
    moments: deque[float] = deque(maxlen=1)

    @event.listens_for(database.engine, "after_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM jobs" in statement and "FOR NO KEY UPDATE" in statement:
            moments.append(time.perf_counter())

    return moments


def made_up(manifest: Manifest) -> Outcome:
    """What a worker might have found out about a batch; the same each time."""
    predictions, rejections = [], []
    cells: Counter[tuple[int, int | None]] = Counter()
    for position, path in enumerate(manifest.paths):
        actual = manifest.true_label(position)
        if position % _REJECTED == 0:
            rejections.append(Rejection(position, path, Reason.TRUNCATED, f"{path} ends early", actual))
            label = None
        else:
            label = ((actual or 0) + (position % _WRONG == 1)) % 10
            verdict = Verdict.UNCERTAIN if position % _UNCERTAIN == 1 else Verdict.DIGIT
            digest = sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
            predictions.append(Prediction(position, path, digest, label, 0.987654, 0.976543, verdict, actual))
        if actual is not None:
            cells[actual, label] += 1
    matrix = [Cell(actual, predicted, count) for (actual, predicted), count in cells.items()]
    stages = dict.fromkeys(("read", "decode", "preprocess", "predict", "tally"), 0.005)
    return Outcome(predictions, rejections, matrix, stages, len(predictions) // 50)


def main() -> None:
    """Record the jobs that stdin names, until it ends."""
    part, of = int(sys.argv[1]), int(sys.argv[2])
    database = Database(get_settings().database)
    for line in sys.stdin:
        print(json.dumps(list(record(database, int(line), part, of))), flush=True)


if __name__ == "__main__":
    main()
