"""The ledger in plain Python, without a database: what must become of every job and batch at each of its verbs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from core.vocabulary import BatchState, JobState, Reason

#: Attempts after which nobody may try a batch again.
ATTEMPTS = 2
#: Seconds in a tick, the unit of the model's time. A tick is long and every span below ends between two of them, so
#: that the seconds in which a test itself runs decide nothing.
TICK = 3600.0
#: Ticks until another worker may take over, until a message counts as lost, and until one in a worker's hands does.
LEASE, RESEND, HELD_FOR = 2.5, 1.5, 2.5

#: What became of an image: the digit or the string that was read, or the reason why there is none.
Read = int | str | Reason

OPEN = (BatchState.QUEUED, BatchState.LEASED)


@dataclass(eq=False)
class BatchModel:
    """A batch as it must be."""

    id: int
    job: JobModel
    sequence: int
    size: int
    #: When its message was last sent, in ticks; if ever, and else when it was queued.
    sent: float
    unsent: bool = True
    state: BatchState = BatchState.QUEUED
    attempts: int = 0
    #: Of the lease that may record it, and when that runs out, in ticks.
    token: str | None = None
    until: float | None = None
    #: By position; empty until the batch has ended.
    reads: Sequence[Read] = ()

    @property
    def scored(self) -> int:
        return sum(not isinstance(read, Reason) for read in self.reads)

    @property
    def refused(self) -> int:
        return len(self.reads) - self.scored

    def free(self, state: BatchState) -> None:
        """Let nobody hold it."""
        self.state, self.token, self.until = state, None, None


@dataclass(eq=False)
class JobModel:
    """A job as it must be."""

    id: int
    labelled: bool
    budget: float | None
    claim: str | None
    source: str
    priority: int = 0
    batches: list[BatchModel] = field(default_factory=list)
    #: Never PAUSED, which is beside the others.
    state: JobState = JobState.QUEUED
    paused: bool = False
    #: Whether a person paused it.
    by_hand: bool = False
    started: bool = False
    #: How often it ended, and which of these ends its drop was filed after; 0: it was not.
    ends: int = 0
    filed: int = 0

    @property
    def found(self) -> int:
        return sum(batch.size for batch in self.batches)

    @property
    def refused(self) -> int:
        return sum(batch.refused for batch in self.batches)

    @property
    def over(self) -> bool:
        """True where nothing more can come of it, though it may not have been closed yet."""
        return not self.state.ended and all(batch.state not in OPEN for batch in self.batches)

    @property
    def unfiled(self) -> bool:
        return self.claim is not None and self.state.ended and self.filed < self.ends

    @property
    def labels(self) -> dict[str, int | str | None]:
        """By path, what each image was read as; None: it was refused."""
        return {
            f"{batch.sequence}/{position}.png": None if isinstance(read, Reason) else read
            for batch in self.batches
            for position, read in enumerate(batch.reads)
        }

    def end(self, state: JobState) -> None:
        self.state, self.paused, self.by_hand, self.ends = state, False, False, self.ends + 1


@dataclass
class LedgerModel:
    """All jobs, and the time."""

    jobs: list[JobModel] = field(default_factory=list)
    #: In ticks.
    now: float = 0.0
    #: Whether the whole line is.
    paused: bool = False

    @property
    def batches(self) -> list[BatchModel]:
        return [batch for job in self.jobs for batch in job.batches]

    def in_the_way(self, batch: BatchModel) -> BatchState | JobState | None:
        """Why a batch cannot be claimed; None: it can."""
        if self.paused or batch.job.paused:
            return JobState.PAUSED
        free = batch.state is BatchState.QUEUED or self._ran_out(batch)
        return None if free and batch.attempts < ATTEMPTS else batch.state

    def claim(self, batch: BatchModel, token: str) -> None:
        batch.state, batch.token, batch.attempts = BatchState.LEASED, token, batch.attempts + 1
        batch.until = self.now + LEASE
        batch.unsent = False
        batch.job.started = True
        if batch.job.state is JobState.QUEUED:
            batch.job.state = JobState.RUNNING

    def release(self, batch: BatchModel, *, blameless: bool) -> None:
        batch.free(BatchState.QUEUED)
        batch.sent = self.now
        batch.attempts -= blameless

    def finish(self, batch: BatchModel, reads: Sequence[Read]) -> None:
        batch.free(BatchState.DONE)
        batch.reads = tuple(reads)
        self._settle(batch.job)

    def send(self, waiting: Collection[int], held: Collection[int], limit: int, *, lost: bool) -> list[int]:
        """Mark what was never sent, and what is lost if that is asked for, as sent; returns the batches' ids in turn."""
        due = [
            batch
            for batch in sorted(self.batches, key=lambda batch: (-batch.job.priority, batch.id))
            if batch.state is BatchState.QUEUED
            and not (self.paused or batch.job.paused)
            and (batch.unsent or (lost and self._is_lost(batch, waiting, held)))
        ][:limit]
        for batch in due:
            batch.sent, batch.unsent = self.now, False
        return [batch.id for batch in due]

    def _is_lost(self, batch: BatchModel, waiting: Collection[int], held: Collection[int]) -> bool:
        if batch.id in waiting or batch.sent >= self.now - RESEND:
            return False
        return batch.id not in held or batch.sent < self.now - HELD_FOR

    def take_back_overdue(self) -> list[int]:
        taken = [batch for batch in self.batches if self._ran_out(batch) and batch.attempts < ATTEMPTS]
        for batch in taken:
            batch.free(BatchState.QUEUED)
        return [batch.id for batch in taken]

    def quarantine_exhausted(self) -> list[int]:
        exhausted = [
            batch
            for batch in self.batches
            if (batch.state is BatchState.QUEUED or self._ran_out(batch)) and batch.attempts >= ATTEMPTS
        ]
        for batch in exhausted:
            batch.free(BatchState.QUARANTINED)
            batch.reads = (Reason.QUARANTINED,) * batch.size
            self._settle(batch.job)
        return [batch.id for batch in exhausted]

    def close_all_over(self) -> int:
        over = [job for job in self.jobs if job.over]
        for job in over:
            self._settle(job)
        return len(over)

    def cancel(self, job: JobModel) -> bool:
        """Stop a job; False: it has ended already."""
        if job.state.ended:
            return False
        for batch in job.batches:
            if batch.state in OPEN:
                batch.free(BatchState.CANCELLED)
        job.end(JobState.CANCELLED)
        return True

    def retry(self, job: JobModel) -> bool:
        """Give a job a new chance; False: it has not ended, or has nothing to retry."""
        again = [
            batch for batch in job.batches if batch.state is BatchState.CANCELLED or Reason.QUARANTINED in batch.reads
        ]
        if not job.state.ended or not again:
            return False
        for batch in again:
            batch.free(BatchState.QUEUED)
            batch.attempts, batch.sent, batch.reads = 0, self.now, ()
        job.state = JobState.QUEUED
        return True

    def pause(self, job: JobModel) -> bool:
        """Pause a job by hand; False: it has ended or is paused already."""
        if job.state.ended or job.paused:
            return False
        job.paused = job.by_hand = True
        return True

    def resume(self, job: JobModel, budget: float | None) -> bool:
        """Let a job go on; False: it is not paused."""
        if not job.paused:
            return False
        if not job.by_hand or budget is not None:
            job.budget = budget
        job.paused = job.by_hand = False
        return True

    def pause_line(self, *, paused: bool) -> bool:
        """Pause the whole line, or let it go on; False: so it does already."""
        changed = self.paused is not paused
        self.paused = paused
        return changed

    def _ran_out(self, batch: BatchModel) -> bool:
        return batch.until is not None and batch.until < self.now

    def _settle(self, job: JobModel) -> None:
        if job.over:
            scored = any(batch.scored for batch in job.batches)
            job.end(JobState.DONE if scored else JobState.FAILED)
        elif not job.state.ended and job.budget is not None and job.refused > job.budget * job.found:
            job.paused = True
