"""Many processes that write to one ledger: `python -m tests.core.writers URL WRITERS BATCH_ID...` prints what each did.

A program of its own, for only a process without threads and without libraries that start some forks safely.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from core.database import Database
from core.ledger import batches
from core.vocabulary import Lease
from tests.core.examples import LEASE_TIME, MAX_ATTEMPTS, outcome


def work(url: str, batch_ids: list[int]) -> tuple[int, int]:
    """Try to claim, renew and finish every batch, as a worker does; returns transactions and batches done."""
    database, transactions, done = Database(url), 0, 0
    for batch_id in batch_ids:
        lease = batches.claim(database, batch_id, worker="w", lease_time=LEASE_TIME, max_attempts=MAX_ATTEMPTS)
        transactions += 1
        if isinstance(lease, Lease):
            batches.renew(database, lease, LEASE_TIME)
            batches.finish(database, lease, outcome(lease, labels=[0, None]))
            transactions += 2
            done += 1
    database.close()
    return transactions, done


def work_at_once(url: str, writers: int, batch_ids: list[int]) -> list[tuple[int, int]]:
    """Let every writer begin elsewhere and go over everything, also what others have."""
    starts = [number * len(batch_ids) // writers for number in range(writers)]
    shares = [batch_ids[start:] + batch_ids[:start] for start in starts]
    with ProcessPoolExecutor(writers, mp_context=multiprocessing.get_context("fork")) as pool:
        return list(pool.map(partial(work, url), shares))


if __name__ == "__main__":
    print(json.dumps(work_at_once(sys.argv[1], int(sys.argv[2]), list(map(int, sys.argv[3:])))))
