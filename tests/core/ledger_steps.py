"""What may happen next to the ledger, how often, and to which of its jobs, batches and leases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from core.vocabulary import Reason
from tests.core.ledger_model import JobModel

if TYPE_CHECKING:
    from tests.core.ledger_machine import LedgerMachine

#: Jobs of one run of the machine; few and small, so that much happens to each.
JOBS = 4
PRIORITY = st.sampled_from([0, 0, 5, -5])
BUDGETS = st.sampled_from([None, 0.5, 0.25, 0.0])
#: What the images of a batch are read as; a smaller batch takes the first ones.
READS = st.tuples(*[st.sampled_from([0, 1, 2, "19", "407", Reason.TRUNCATED, Reason.BLANK, Reason.QUARANTINED])] * 3)


def live(machine: LedgerMachine) -> list[int]:
    """Leases that may write."""
    return [number for number, (batch, lease) in enumerate(machine.leases) if batch.token == lease.token]


def stale(machine: LedgerMachine) -> list[int]:
    """Leases that may not; if there are any, those whose batch somebody else works on."""
    lost = [number for number, (batch, lease) in enumerate(machine.leases) if batch.token != lease.token]
    return [number for number in lost if machine.leases[number][0].token is not None] or lost


def every_batch(machine: LedgerMachine) -> list[int]:
    return list(range(len(machine.model.batches)))


def jobs_that(may: Callable[[JobModel], bool]) -> Callable[[LedgerMachine], list[int]]:
    """The jobs of which that is true."""
    return lambda machine: [number for number, job in enumerate(machine.model.jobs) if may(job)]


#: By method of the machine: its weight, what its first argument is one of at the moment, and its other arguments.
STEPS: Mapping[str, tuple[Any, ...]] = {
    "claim": (6, every_batch, st.sampled_from(["w1", "w2", "w3"])),
    "submit": (
        2,
        lambda machine: range(4 if len(machine.model.jobs) < JOBS else 0),
        st.lists(st.integers(1, 3), min_size=1, max_size=3) | st.just([]),
        st.sampled_from([None, "drop-1", "drop-2"]),
        BUDGETS,
        st.booleans(),
        PRIORITY,
    ),
    "cancel": (1, jobs_that(lambda job: not job.state.ended)),
    "retry": (1, jobs_that(lambda job: job.state.ended)),
    "pause": (1, jobs_that(lambda _: True)),
    "pause_line": (1, lambda _: (True, False)),
    "set_priority": (1, jobs_that(lambda _: True), PRIORITY),
    "resume": (1, jobs_that(lambda job: job.paused or job.budget is not None), BUDGETS),
    "begin_to_file": (1, jobs_that(lambda job: job.unfiled)),
    "end_to_file": (1, lambda machine: range(len(machine.seen))),
    "lose_messages": (1, lambda machine: machine.waiting, st.booleans()),
    "renew": (1, live),
    "release": (2, live, st.booleans()),
    "finish": (3, live, READS, st.booleans()),
    "wake_up": (2, stale, READS, st.booleans()),
    "pass_time": (3, lambda _: range(1, 4)),
    "sweep": (3, lambda _: ("take back", "quarantine", "send", "send a few", "fill", "fill a little", "close", "all")),
}
