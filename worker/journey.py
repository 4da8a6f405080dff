"""One batch, top to bottom: claim, read, preprocess, predict, shadow, tally, record.

This is the file to read for "where does an image go next?".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from classifier.predict import Predictor
from classifier.preprocess import SIDE, Image
from classifier.readings import Reading, read
from classifier.sources import Images, check_source, images_of
from core.crash import crash_point
from core.database import Database
from core.errors import (
    ArtifactError,
    ImagesQuarantined,
    LedgerUnreachable,
    SourceNotFound,
    SourceUnreadable,
    StaleLease,
    StoreUnreachable,
)
from core.ledger import batches
from core.ledger.shadows import Shadow
from core.settings import Settings
from core.sources import source_at
from core.vocabulary import BatchState, JobState, Lease, Outcome
from worker.look import Eye, Look
from worker.outage import Outage
from worker.pulse import Progress, Pulse, Stopwatch
from worker.reading import read_ahead
from worker.sandbox import SandboxedEye
from worker.seen import Seen
from worker.shadow import ask_challenger, is_due
from worker.tally import tally
from worker.telling import tell

log = logging.getLogger(__name__)

#: What keeps this worker from a source as a whole.
_OUT_OF_REACH = (SourceNotFound, SourceUnreadable, StoreUnreachable)
#: What is wrong with the worker or its servers, not with the batch.
_NO_BATCHS_FAULT = (ArtifactError, LedgerUnreachable, *_OUT_OF_REACH)


@dataclass
class Journey:
    """What a worker process needs to score batches: the ledger, the limits and the loaded models."""

    database: Database
    settings: Settings
    #: The loaded model of an id of the ledger.
    predictor: Callable[[int], Predictor]
    #: Name of the worker, for people to read.
    worker: str
    #: The ledger's, as this process meets it.
    outage: Outage = field(default_factory=Outage)

    def score(self, batch_id: int, progress: Progress) -> str:
        """Score one batch, from its claim to its committed rows.

        Returns:
            What happened, in a line that a person reads.

        Raises:
            ImagesQuarantined: images of it were; all the same it is recorded.
        """
        started = time.perf_counter()
        lease = self.claim(batch_id)
        if not isinstance(lease, Lease):
            return f"left alone: the {'batch' if isinstance(lease, BatchState) else 'job or the line'} is {lease}"
        try:
            outcome, shadow = self._outcome(lease, progress)
            self.record(lease, outcome, shadow)
        except StaleLease as error:
            log.warning("%s", error)
            return "left alone: another worker took the batch over"
        except Exception as error:
            blameless = isinstance(error, _NO_BATCHS_FAULT) or self.outage.lasts
            self.give_back(lease, str(error) or type(error).__name__, blameless=blameless)
            raise
        except BaseException:
            self.give_back(lease, "its worker was told to stop", blameless=True, patience=0.0)
            raise
        told = tell(outcome, time.perf_counter() - started)
        if outcome.quarantined:
            # Flower's row is to be red: somebody has to look at this one.
            raise ImagesQuarantined(told)
        return told

    def claim(self, batch_id: int) -> Lease | BatchState | Literal[JobState.PAUSED]:
        """Take the right to record the batch, or learn what stands in the way."""
        crash_point("worker.popped")
        claim = partial(
            batches.claim,
            self.database,
            batch_id,
            worker=self.worker,
            lease_time=self.settings.lease_time,
            max_attempts=self.settings.max_attempts,
        )
        # Message in hand, which the sweep takes for good as long as a lease; or the queue would drain at once.
        lease = self.outage.sit_out(claim, self.settings.lease_time)
        crash_point("worker.claimed")
        return lease

    def give_back(self, lease: Lease, why: str, *, blameless: bool, patience: float | None = None) -> None:
        """Let another worker have the batch; the attempt counts against it unless it had no part in what went wrong.

        Args:
            lease: of the batch.
            why: for people.
            blameless: the batch had no part in it.
            patience: seconds for which the ledger may be away; default: as long as a lease.
        """
        release = partial(batches.release, self.database, lease, why, blameless=blameless)
        self.outage.sit_out(release, self.settings.lease_time if patience is None else patience)

    def _outcome(self, lease: Lease, progress: Progress) -> tuple[Outcome, Shadow | None]:
        watch = Stopwatch()
        pulse = Pulse(lambda: self.renew(lease), self.settings.lease_time / 3, progress, lease.batch.size)
        seen = self.read_and_preprocess(lease, watch, pulse)
        crash_point("worker.decoded")
        readings, single = self._read(seen, self.predictor(lease.batch.model_id), pulse)
        watch.lap("predict")
        crash_point("worker.scored")
        shadow = None
        if is_due(lease, self.settings.challenger_share):
            pulse.beat(lease.batch.size)
            shadow = ask_challenger(self.predictor, lease, single)
            # A slow challenger must not cost the batch the lease that its rows are recorded by.
            pulse.beat(lease.batch.size)
            watch.lap("shadow")
        outcome = tally(lease.manifest, seen, readings, watch.seconds)
        watch.lap("tally")
        return outcome, shadow

    def read_and_preprocess(self, lease: Lease, watch: Stopwatch, pulse: Pulse) -> Seen:
        """Read each file once, decode it, bring it to 28x28, and hash it; large pictures come one at a time.

        Where the job splits pictures, each of a picture's digits is brought to 28x28.
        """
        seen = Seen()

        def lap(stage: str) -> None:
            watch.lap(stage)
            pulse.beat(len(seen))

        with self._images_of(lease) as images, self._eye(lease, lambda: pulse.beat(len(seen))) as eye:
            for files in read_ahead(images, lease.manifest.paths, seen):
                lap("read")
                eye.see(files, seen, lap)
        return seen

    def _eye(self, lease: Lease, sign: Callable[[], None]) -> AbstractContextManager[Look]:
        """What images are looked at with: in a sandbox, once an attempt has failed, for one of them may be the cause."""
        eye = Eye(self.settings.max_pixels, lease.split)
        return nullcontext(eye) if lease.attempt == 1 else SandboxedEye(eye, sign)

    def _read(self, seen: Seen, predictor: Predictor, pulse: Pulse) -> tuple[list[Reading], Image]:
        """Read every picture; returns the prepared digits of those that show one as well, uint8, (n, 28, 28)."""
        readings: list[Reading] = []
        single = [np.empty((0, SIDE, SIDE), np.uint8)]
        for digits, ways in seen.parts(predictor.batch_size):
            # Pictures that are split may hold thousands of digits, and the lease must last for all of them.
            pulse.beat(len(seen))
            part = read(predictor(digits), ways, predictor.card, self.settings.target_error)
            single.append(digits[[reading.places[0] for reading in part if not reading.digits]])
            readings += part
        return readings, np.concatenate(single)

    def record(self, lease: Lease, outcome: Outcome, shadow: Shadow | None = None) -> None:
        """Commit predictions, rejections, the confusion matrix and the challenger's shadow, in one transaction.

        Where the ledger is away or has no room, what was scored is kept for as long as a lease, and so is the batch.

        Raises:
            StaleLease: another worker took the batch over; nothing was written.
            LedgerUnreachable: the ledger is away, or takes nothing, for longer.
        """

        def finish() -> None:
            if self.outage.lasts:
                batches.renew(self.database, lease, self.settings.lease_time)
            batches.finish(self.database, lease, outcome, shadow)

        crash_point("worker.before_commit")
        self.outage.sit_out(finish, self.settings.lease_time, fills=True)
        crash_point("worker.committed")

    def renew(self, lease: Lease) -> None:
        """Keep the batch while the work on it goes on; that the ledger is away for a moment is no reason to stop it."""
        try:
            batches.renew(self.database, lease, self.settings.lease_time)
        except LedgerUnreachable as error:
            self.outage.note(error)

    def _images_of(self, lease: Lease) -> Images:
        source = source_at(lease.source)
        # Not a hundred missing images, but a share that this host has not mounted or a store that is away: another host,
        # or a later attempt, may see it, so it counts against nobody, and the job says what it waits for.
        try:
            check_source(source)
        except _OUT_OF_REACH:
            # A host that does not see the images must not drain the queue from under those that do.
            time.sleep(self.settings.resend_after)
            raise
        return images_of(source, max_bytes=self.settings.max_bytes)
