"""Writers that are killed: `python -m tests.core.killed_writers URL WRITERS KILLS BATCH_ID...`.

It prints how many were killed, and how many transactions of theirs ended. A program of its own, for only a process
without threads and without libraries that start some forks safely.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import random
import sys
import time
from contextlib import suppress
from typing import TypeAlias

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

#: Counts the transactions of one writer.
Tally: TypeAlias = ctypes.c_ulonglong

_fork = multiprocessing.get_context("fork")


def labels_of(size: int) -> list[int | None]:
    """What every writer records of a batch: each second image is rejected."""
    return [(0, None)[position % 2] for position in range(size)]


def write(url: str, batch_ids: list[int], seed: int, tally: Tally) -> None:
    """Claim, renew and finish whatever is free, until nothing is left to do; the tally counts what ended."""
    database, waiting = Database(url), random.Random(seed).sample(batch_ids, len(batch_ids))
    while waiting:
        waiting = [batch_id for batch_id in waiting if not is_done(database, batch_id, tally)]


def is_done(database: Database, batch_id: int, tally: Tally) -> bool:
    """Try to do a batch; returns whether it was done already."""
    lease = batches.claim(database, batch_id, worker="w", lease_time=LEASE_TIME, max_attempts=MAX_ATTEMPTS)
    tally.value += 1
    if not isinstance(lease, Lease):
        return lease is BatchState.DONE
    with suppress(StaleLease):  # it had to wait for the others for longer than its lease
        batches.renew(database, lease, LEASE_TIME)
        tally.value += 1
        batches.finish(database, lease, outcome(lease, labels=labels_of(len(lease.manifest))))
        tally.value += 1
    return False


def kill_some(url: str, writers: int, kills: int, batch_ids: list[int]) -> tuple[int, int]:
    """Let writers write, kill one at random again and again and start another, and let the last ones end.

    Returns:
        How many were killed, and how many transactions ended; none of the others may fail.
    """
    rng = random.Random(SEED)
    # In memory that outlives whoever is killed; without a lock, for the dead would keep it.
    tallies = [_fork.RawValue(ctypes.c_ulonglong) for _ in range(writers + kills)]
    running = [_started(url, batch_ids, seed, tallies[seed]) for seed in range(writers)]
    killed = 0
    while killed < kills and all(process.is_alive() for process in running):
        time.sleep(EVERY)
        place = rng.randrange(writers)
        running[place].kill()
        running[place].join()
        seed, killed = writers + killed, killed + 1
        running[place] = _started(url, batch_ids, seed, tallies[seed])
    for process in running:
        process.join()
    failed = [process.exitcode for process in running if process.exitcode != 0]
    if failed:
        raise SystemExit(f"Writers ended with {failed}.")
    return killed, sum(tally.value for tally in tallies)


def _started(url: str, batch_ids: list[int], seed: int, tally: Tally) -> multiprocessing.process.BaseProcess:
    process = _fork.Process(target=write, args=(url, batch_ids, seed, tally))
    process.start()
    return process


if __name__ == "__main__":
    print(*kill_some(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), list(map(int, sys.argv[4:]))))
