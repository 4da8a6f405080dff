"""One batch, top to bottom: claim, read, preprocess, predict, shadow, tally, record.

This is the file to read for "where does an image go next?".
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.images import ImageFolder, decode
from classifier.predict import Predictor, Scores
from classifier.preprocess import SIDE, prepare
from core.crash import crash_point
from core.database import Database
from core.errors import ArtifactError, ImageRejected, LedgerUnreachable, SourceNotFound, StaleLease
from core.ledger import batches
from core.ledger.shadows import Shadow
from core.settings import Settings
from core.sources import to_path
from core.vocabulary import BatchState, Cell, Lease, Manifest, Outcome, Prediction, Reason, Rejection, Verdict
from worker.pulse import Progress, Pulse, Stopwatch
from worker.shadow import ask_challenger, is_due

log = logging.getLogger(__name__)

#: What is wrong with the worker or its servers, not with the batch.
_NO_BATCHS_FAULT = (ArtifactError, LedgerUnreachable)
#: What decoding and preprocessing may raise where a picture breaks an assumption.
_PICTURES_FAULT = (ArithmeticError, ValueError, LookupError, MemoryError, cv2.error)


@dataclass
class Journey:
    """What a worker process needs to score batches: the ledger, the limits and the loaded models."""

    database: Database
    settings: Settings
    #: The loaded model of an id of the ledger.
    predictor: Callable[[int], Predictor]
    #: Name of the worker, for people to read.
    worker: str

    def score(self, batch_id: int, progress: Progress) -> str:
        """Score one batch, from its claim to its committed rows.

        Returns:
            What happened, in a line that a person reads.
        """
        started = time.perf_counter()
        lease = self.claim(batch_id)
        if isinstance(lease, BatchState):
            return f"left alone: the batch is {lease}"
        try:
            outcome, shadow = self._outcome(lease, progress)
            self.record(lease, outcome, shadow)
        except StaleLease as error:
            log.warning("%s", error)
            return "left alone: another worker took the batch over"
        except Exception as error:
            self.give_back(lease, str(error) or type(error).__name__, blameless=isinstance(error, _NO_BATCHS_FAULT))
            raise
        except BaseException:
            self.give_back(lease, "its worker was told to stop", blameless=True)
            raise
        return f"{outcome}, {time.perf_counter() - started:.2f} s"

    def claim(self, batch_id: int) -> Lease | BatchState:
        """Take the right to record the batch, or learn what stands in the way."""
        crash_point("worker.popped")
        lease = batches.claim(
            self.database,
            batch_id,
            worker=self.worker,
            lease_time=self.settings.lease_time,
            max_attempts=self.settings.max_attempts,
        )
        crash_point("worker.claimed")
        return lease

    def give_back(self, lease: Lease, why: str, *, blameless: bool) -> None:
        """Let another worker have the batch; the attempt counts against it unless it had no part in what went wrong."""
        batches.release(self.database, lease, why, blameless=blameless)

    def _outcome(self, lease: Lease, progress: Progress) -> tuple[Outcome, Shadow | None]:
        watch = Stopwatch()
        pulse = Pulse(lambda: self.renew(lease), self.settings.lease_time / 3, progress, lease.batch.size)
        seen = self.read_and_preprocess(lease, watch, pulse)
        crash_point("worker.decoded")
        with watch.stage("predict"):
            predictor = self.predictor(lease.batch.model_id)
            scores = predictor(seen.digits)
        crash_point("worker.scored")
        shadow = None
        if is_due(lease, self.settings.challenger_share):
            pulse.beat(lease.batch.size)
            with watch.stage("shadow"):
                shadow = ask_challenger(self.predictor, lease, seen.digits)
            # A slow challenger must not cost the batch the lease that its rows are recorded by.
            pulse.beat(lease.batch.size)
        with watch.stage("tally"):
            confident_above = predictor.card.confident_above(self.settings.target_error)
            return tally(lease.manifest, seen, scores, confident_above, watch.seconds), shadow

    def read_and_preprocess(self, lease: Lease, watch: Stopwatch, pulse: Pulse) -> Seen:
        """Read each file once, hash it, decode it, and bring it to 28x28; one image in memory at a time."""
        seen = Seen.for_images(len(lease.manifest))
        with self._folder_of(lease) as folder:
            for position, path in enumerate(lease.manifest.paths):
                pulse.beat(position)
                try:
                    with watch.stage("read"):
                        data = folder.read(path)
                    with watch.stage("preprocess"):
                        seen.add(position, data, prepare(decode(data, max_pixels=self.settings.max_pixels)))
                except ImageRejected as error:
                    seen.refuse(position, error)
                except _PICTURES_FAULT as error:
                    # A picture nobody thought of; its siblings must not pay for it.
                    log.exception("batch %s: %r cannot be read", lease.batch.id, path)
                    seen.refuse(position, ImageRejected(Reason.UNREADABLE, f"The picture cannot be read: {error}."))
        return seen

    def record(self, lease: Lease, outcome: Outcome, shadow: Shadow | None = None) -> None:
        """Commit predictions, rejections, the confusion matrix and the challenger's shadow, in one transaction.

        Raises:
            StaleLease: another worker took the batch over; nothing was written.
        """
        crash_point("worker.before_commit")
        batches.finish(self.database, lease, outcome, shadow)
        crash_point("worker.committed")

    def renew(self, lease: Lease) -> None:
        """Keep the batch while the work on it goes on."""
        batches.renew(self.database, lease, self.settings.lease_time)

    def _folder_of(self, lease: Lease) -> ImageFolder:
        root = to_path(lease.source)
        # Not a hundred missing images, but a share that is not mounted: another attempt may find it.
        if not root.is_dir():
            # A host that does not see the images must not drain the queue from under those that do.
            time.sleep(self.settings.resend_after)
            raise SourceNotFound(f"There is no folder {root}.")
        return ImageFolder(root, max_bytes=self.settings.max_bytes)


@dataclass
class Seen:
    """What a batch's files hold: digits to predict, and refusals."""

    #: uint8, (n, 28, 28); rows past `len(positions)` are unused.
    _digits: NDArray[np.uint8]
    positions: list[int] = field(default_factory=list)
    #: Of each digit's file, hexadecimal.
    hashes: list[str] = field(default_factory=list)
    refusals: dict[int, ImageRejected] = field(default_factory=dict)

    @classmethod
    def for_images(cls, count: int) -> Seen:
        """Room for `count` digits."""
        return cls(np.empty((count, SIDE, SIDE), np.uint8))

    @property
    def digits(self) -> NDArray[np.uint8]:
        """The digits in the order of `positions`: uint8, (n, 28, 28), ink bright on 0."""
        return self._digits[: len(self.positions)]

    def add(self, position: int, data: bytes, digit: NDArray[np.uint8]) -> None:
        """Keep a digit and the hash of the bytes it was read from."""
        self._digits[len(self.positions)] = digit
        self.positions.append(position)
        self.hashes.append(hashlib.sha256(data).hexdigest())

    def refuse(self, position: int, error: ImageRejected) -> None:
        """Keep the reason why an image has no digit."""
        self.refusals[position] = error


def tally(manifest: Manifest, seen: Seen, scores: Scores, confident_above: float, timings: dict[str, float]) -> Outcome:
    """Turn scores into rows, and count the batch's confusion matrix from those very rows.

    Args:
        manifest: the images of the batch.
        seen: what their files hold.
        scores: what the model says of the digits seen.
        confident_above: confidence up to which a label is uncertain, 0 to 1.
        timings: seconds by stage, so far.
    """
    columns = zip(
        seen.positions,
        seen.hashes,
        scores.labels.tolist(),
        scores.confidences.tolist(),
        scores.margins.tolist(),
        strict=True,
    )
    predictions = [
        Prediction(
            position,
            manifest.paths[position],
            sha256,
            label,
            confidence,
            margin,
            Verdict.DIGIT if confidence > confident_above else Verdict.UNCERTAIN,
            manifest.true_label(position),
        )
        for position, sha256, label, confidence, margin in columns
    ]
    rejections = [
        Rejection(position, manifest.paths[position], error.reason, str(error), manifest.true_label(position))
        for position, error in seen.refusals.items()
    ]
    escalated = int(scores.escalated.sum())
    return Outcome(predictions, rejections, count_confusion(predictions, rejections), timings, escalated)


def count_confusion(predictions: list[Prediction], rejections: list[Rejection]) -> list[Cell]:
    """The cells of the confusion matrix; an image whose true label is unknown is in none."""
    scored = ((prediction.true_label, prediction.label) for prediction in predictions)
    rejected = ((rejection.true_label, None) for rejection in rejections)
    counted = Counter((*scored, *rejected))
    return [Cell(actual, predicted, count) for (actual, predicted), count in counted.items() if actual is not None]
