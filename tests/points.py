"""The named points at which a process of the line can be made to die."""

from __future__ import annotations

WORKER_POINTS = (
    "worker.popped",
    "worker.claimed",
    "worker.decoded",
    "worker.scored",
    "worker.before_commit",
    "worker.committed",
)
SCHEDULER_POINTS = (
    "inbox.claimed",
    "producer.planned",
    "producer.committed",
    "producer.sending",
    "filing.described",
    "filing.moved",
)
