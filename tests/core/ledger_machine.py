"""Workers, Redis, sweeps, people and the time, in any order that Hypothesis likes, beside the model of the ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.database import Database
from core.errors import IllegalTransition, StaleLease
from core.ledger import batches, endings, jobs, models, pauses, steering, sweeps
from core.ledger.sweeps import Messages
from core.vocabulary import Job, JobState, Lease, QueueName
from tests.core import ledger_oracle
from tests.core.examples import new_job, register_model
from tests.core.ledger_model import ATTEMPTS, HELD_FOR, LEASE, RESEND, TICK, BatchModel, JobModel, LedgerModel, Read
from tests.core.ledger_steps import STEPS, live
from tests.core.ledger_tricks import empty, let_time_pass, outcome_of, shadow_of
from tests.oracle import check_job


class LedgerMachine(RuleBasedStateMachine):
    """Every step is taken by the ledger and by the model; jobs, batches and leases go by their number in the model."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.error_outside = sys.exc_info()[1]
        self.database = database
        empty(database)
        register_model(database)
        self.challenger = models.challenge(database, register_model(database, "challenger"))
        self.model = LedgerModel()
        #: Batches whose message is in a queue, and those whose message is in the hands of a worker.
        self.waiting: list[int] = []
        self.held: set[int] = set()
        #: Every lease there ever was: a worker whose lease is stale does not know it.
        self.leases: list[tuple[BatchModel, Lease]] = []
        #: Jobs as one who files their drops has seen them, and how often they had ended by then.
        self.seen: list[tuple[JobModel, Job, int]] = []

    @invariant()
    def the_ledger_is_sound_and_as_the_model_says(self) -> None:
        ledger_oracle.check(self.database, self.model)

    def teardown(self) -> None:
        """Everything ends, once all are honest; not asked where a step has failed, for its error says more."""
        if sys.exc_info()[1] is self.error_outside:
            self.everything_ends()

    @rule(step=st.runner().flatmap(lambda machine: machine.next_step()))
    def take(self, step: tuple[Any, ...]) -> None:
        name, *arguments = step
        getattr(self, name)(*arguments)

    def next_step(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """What may happen next: a method and its arguments; the larger its weight, the more often.

        No rule for each of them: Hypothesis leaves about half of the rules out of a run, and where no worker works
        nothing happens.
        """
        weights = {name: weight for name, (weight, about, *_) in STEPS.items() if about(self)}
        names = [name for name, weight in weights.items() for _ in range(weight)]
        return st.sampled_from(names).flatmap(self.with_arguments)

    def with_arguments(self, name: str) -> st.SearchStrategy[tuple[Any, ...]]:
        _, about, *drawn = STEPS[name]
        return st.tuples(st.just(name), st.sampled_from(about(self)), *drawn)

    # What people and the inbox do.

    def submit(
        self, room: int, sizes: list[int], claim: str | None, budget: float | None, labelled: bool, priority: int
    ) -> None:
        """A claim makes one job, however often it comes; a producer that is killed after its commit sends nothing."""
        new = new_job(sizes, labelled=labelled, max_rejected=budget, claim=claim, priority=priority)
        made = jobs.create(self.database, new)
        if known := [job.id for job in self.model.jobs if job.claim == claim is not None]:
            assert [made.id] == known
            return
        job = JobModel(made.id, labelled, budget, claim, made.source, priority)
        job.batches = [
            BatchModel(batch.id, job, batch.sequence, batch.size, self.model.now)
            for batch in batches.of_job(self.database, made.id)
        ]
        assert [batch.size for batch in job.batches] == sizes
        self.model.jobs.append(job)
        self.fill(room)

    def cancel(self, number: int) -> None:
        job = self.model.jobs[number]
        with refused_unless(self.model.cancel(job)):
            steering.cancel(self.database, jobs.get(self.database, job.id))

    def retry(self, number: int) -> None:
        job = self.model.jobs[number]
        with refused_unless(self.model.retry(job)):
            steering.retry(self.database, jobs.get(self.database, job.id))

    def resume(self, number: int, budget: float | None) -> None:
        job = self.model.jobs[number]
        with refused_unless(self.model.resume(job, budget)):
            steering.resume(self.database, jobs.get(self.database, job.id), max_rejected=budget)

    def pause(self, number: int) -> None:
        job = self.model.jobs[number]
        with refused_unless(self.model.pause(job)):
            steering.pause(self.database, jobs.get(self.database, job.id), by="ada")

    def pause_line(self, paused: bool) -> None:
        """Or let it go on."""
        with refused_unless(self.model.pause_line(paused=paused)):
            if paused:
                pauses.pause_line(self.database, by="ada", reason="new disks")
            else:
                pauses.resume_line(self.database)
        assert (pauses.of_line(self.database) is not None) is paused

    def set_priority(self, number: int, priority: int) -> None:
        job = self.model.jobs[number]
        with refused_unless(not job.state.ended):
            steering.set_priority(self.database, jobs.get(self.database, job.id), priority)
            job.priority = priority

    def begin_to_file(self, number: int) -> None:
        job = self.model.jobs[number]
        (seen,) = (seen for seen in jobs.unfiled(self.database) if seen.id == job.id)
        self.seen.append((job, seen, job.ends))

    def end_to_file(self, number: int) -> None:
        """Meanwhile the job may have been retried, may have ended anew, or another sweep have filed it."""
        job, seen, ends = self.seen.pop(number)
        job.source = f"file:///done/{ends}"
        jobs.mark_filed(self.database, seen, job.source)
        if job.state.ended and job.ends == ends:
            job.filed = ends

    # What Redis does.

    def send(self, ids: Iterable[int]) -> None:
        known = [batch.id for batch in self.model.batches]
        self.waiting += [known.index(batch_id) for batch_id in ids]

    def lose_messages(self, number: int, everything: bool) -> None:
        self.waiting.remove(number)
        if everything:
            self.waiting.clear()
            self.held.clear()

    # What workers do.

    def claim(self, number: int, worker: str) -> None:
        """Redis may repeat a message, whatever became of its batch."""
        if number in self.waiting:
            self.waiting.remove(number)
        batch, database = self.model.batches[number], self.database
        answer = batches.claim(database, batch.id, worker=worker, lease_time=LEASE * TICK, max_attempts=ATTEMPTS)
        if (in_the_way := self.model.in_the_way(batch)) is not None:
            assert answer is in_the_way
            return
        assert isinstance(answer, Lease)
        self.model.claim(batch, answer.token)
        assert (answer.attempt, len(answer.manifest)) == (batch.attempts, batch.size)
        self.leases.append((batch, answer))
        self.held.add(number)

    def renew(self, number: int) -> None:
        batch, lease = self.leases[number]
        batches.renew(self.database, lease, LEASE * TICK)
        batch.until = self.model.now + LEASE

    def release(self, number: int, blameless: bool) -> None:
        batch, lease = self.leases[number]
        batches.release(self.database, lease, "it was told to stop", blameless=blameless)
        self.model.release(batch, blameless=blameless)
        self.acknowledge(batch)

    def finish(self, number: int, reads: Sequence[Read], shadow: bool) -> None:
        """A worker that does not learn of its commit goes on with this lease, which is stale: that is wake_up()."""
        batch, lease = self.leases[number]
        found = outcome_of(lease, reads[: batch.size])
        batches.finish(self.database, lease, found, shadow_of(self.challenger, found) if shadow else None)
        self.model.finish(batch, reads[: batch.size])
        self.acknowledge(batch)

    def wake_up(self, number: int, reads: Sequence[Read], blameless: bool) -> None:
        """Of all this nothing is written, as the invariant sees."""
        batch, lease = self.leases[number]
        with pytest.raises(StaleLease):
            batches.renew(self.database, lease, LEASE * TICK)
        with pytest.raises(StaleLease):
            batches.finish(self.database, lease, outcome_of(lease, reads[: batch.size]))
        batches.release(self.database, lease, "it woke up too late", blameless=blameless)

    def acknowledge(self, batch: BatchModel) -> None:
        self.held.discard(self.model.batches.index(batch))

    # What sweeps and the time do.

    def pass_time(self, ticks: int) -> None:
        self.model.now += ticks
        let_time_pass(self.database, ticks)

    def sweep(self, part: str) -> None:
        """A whole sweep, or what one that is killed, or two of them that run at once, come to."""
        if part in ("take back", "all"):
            assert sorted(sweeps.take_back_overdue(self.database, ATTEMPTS)) == self.model.take_back_overdue()
        if part in ("quarantine", "all"):
            assert sweeps.quarantine_exhausted(self.database, ATTEMPTS) == self.model.quarantine_exhausted()
        if part in ("send", "send a few", "all"):
            self.send_waiting(2 if part == "send a few" else 500)
        if part in ("fill", "fill a little"):
            self.fill(1 if part == "fill a little" else 500)
        if part in ("close", "all"):
            assert endings.close_all_over(self.database) == self.model.close_all_over()

    def fill(self, room: int) -> None:
        """Send what was never sent, as far as a queue has room."""
        sent = [batch.id for batch in sweeps.to_send(self.database, QueueName.EXPRESS, room).batches]
        assert sent == self.model.send((), (), room, lost=False)
        self.send(sent)

    def send_waiting(self, limit: int) -> None:
        number = [batch.id for batch in self.model.batches]
        waiting, held = ({number[batch] for batch in numbers} for numbers in (self.waiting, self.held))
        messages = Messages(waiting, RESEND * TICK, held, HELD_FOR * TICK)
        due = sweeps.to_send(self.database, QueueName.EXPRESS, limit, messages)
        unsent = [batch.id for batch in self.model.batches if batch.unsent]
        sent = [batch.id for batch in due.batches]
        assert sent == self.model.send(waiting, held, limit, lost=True)
        assert due.lost == len(set(sent).difference(unsent))
        self.send(sent)

    # What must come of it all.

    def everybody_works(self) -> None:
        self.pass_time(3)
        self.sweep("all")
        while self.waiting:
            self.claim(self.waiting[0], "w1")
        for number in live(self):
            self.finish(number, (0, 1, 2), False)

    def everything_ends(self) -> None:
        """One sweep, once every lease has run out, and honest workers end all jobs that no person keeps paused."""
        if self.model.paused:
            self.pause_line(False)
        for _ in range(2):
            self.everybody_works()
            assert all(job.state.ended or job.paused for job in self.model.jobs)
            for number, job in enumerate(self.model.jobs):
                if job.paused:
                    self.resume(number, None)
        self.the_ledger_is_sound_and_as_the_model_says()
        ledger_oracle.check_verbs(self.database, self.model)
        for job in self.model.jobs:
            assert job.state.ended
            if job.state is not JobState.CANCELLED:
                check_job(self.database, job.id, job.labels)


def refused_unless(allowed: bool) -> AbstractContextManager[object]:
    """The ledger must refuse what the model does not allow."""
    return nullcontext() if allowed else pytest.raises(IllegalTransition)
