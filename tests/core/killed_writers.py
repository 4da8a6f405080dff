"""Writers that are killed: `python -m tests.core.killed_writers URL WRITERS KILLS BATCH_ID...` prints how many were.

A program of its own, for only a process without threads and without libraries that start some forks safely.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from contextlib import suppress

from core.database import Database
from core.errors import StaleLease
from core.ledger import batches
from core.vocabulary import BatchState, Lease
from tests.core.examples import outcome

#: Seconds that a dead writer keeps its batch from the others.
LEASE_TIME = 0.5
#: Seconds between two kills; a writer gets through some transactions meanwhile.
EVERY = 0.02
#: More than any batch meets kills.
MAX_ATTEMPTS = 10_000
SEED = 20_261_123

_fork = multiprocessing.get_context("fork")


def write(url: str, batch_ids: list[int], seed: int) -> None:
    """Claim, renew and finish whatever is free, until nothing is left to do."""
    database, waiting = Database(url), random.Random(seed).sample(batch_ids, len(batch_ids))
    while waiting:
        waiting = [batch_id for batch_id in waiting if not is_done(database, batch_id)]


def is_done(database: Database, batch_id: int) -> bool:
    """Try to do a batch; returns whether it was done already."""
    lease = batches.claim(database, batch_id, worker="w", lease_time=LEASE_TIME, max_attempts=MAX_ATTEMPTS)
    if not isinstance(lease, Lease):
        return lease is BatchState.DONE
    with suppress(StaleLease):  # it had to wait for the others for longer than its lease
        batches.renew(database, lease, LEASE_TIME)
        batches.finish(database, lease, outcome(lease, labels=[0, None]))
    return False


def kill_some(url: str, writers: int, kills: int, batch_ids: list[int]) -> int:
    """Let writers write, kill one at random again and again and start another, and let the last ones end.

    Returns:
        How many were killed; none of the others may fail.
    """
    rng = random.Random(SEED)
    running = [_started(url, batch_ids, seed) for seed in range(writers)]
    killed = 0
    while killed < kills and all(process.is_alive() for process in running):
        time.sleep(EVERY)
        place = rng.randrange(writers)
        running[place].kill()
        running[place].join()
        killed += 1
        running[place] = _started(url, batch_ids, writers + killed)
    for process in running:
        process.join()
    failed = [process.exitcode for process in running if process.exitcode != 0]
    if failed:
        raise SystemExit(f"Writers ended with {failed}.")
    return killed


def _started(url: str, batch_ids: list[int], seed: int) -> multiprocessing.process.BaseProcess:
    process = _fork.Process(target=write, args=(url, batch_ids, seed))
    process.start()
    return process


if __name__ == "__main__":
    print(kill_some(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), list(map(int, sys.argv[4:]))))
