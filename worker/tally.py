"""What was read becomes rows, and the batch's confusion matrix is counted from those very rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from classifier.readings import Reading
from core.vocabulary import Cell, Manifest, Outcome, Prediction, Rejection
from worker.seen import Seen


def tally(manifest: Manifest, seen: Seen, readings: Sequence[Reading], timings: dict[str, float]) -> Outcome:
    """Turn readings into rows, and count the batch's confusion matrix from those very rows.

    Args:
        manifest: the images of the batch.
        seen: what their files hold.
        readings: what the model reads in those that hold digits.
        timings: seconds by stage, so far.
    """
    paths, true_labels = manifest.paths, manifest.true_labels or [None] * len(manifest)
    # Taken apart by position, for it is done for every image: by name it takes twice as long.
    predictions = [
        Prediction(position, paths[position], sha256, label, confidence, margin, verdict, true_labels[position], digits)
        for position, sha256, (label, confidence, margin, verdict, _, _, digits) in zip(
            seen.positions, seen.hashes, readings, strict=True
        )
    ]
    rejections = [
        Rejection(position, manifest.paths[position], error.reason, str(error), manifest.true_label(position))
        for position, error in seen.refusals.items()
    ]
    escalated = sum(reading.escalated for reading in readings)
    return Outcome(predictions, rejections, count_confusion(predictions, rejections), timings, escalated)


def count_confusion(predictions: Sequence[Prediction], rejections: Sequence[Rejection]) -> list[Cell]:
    """The cells of the confusion matrix; an image whose true label is unknown is in none.

    Whatever its verdict, a scored image is counted under the digit that it was read as; a string is none.
    """
    scored = ((one.true_label, one.label if isinstance(one.label, int) else None) for one in predictions)
    rejected = ((rejection.true_label, None) for rejection in rejections)
    counted = Counter((*scored, *rejected))
    return [Cell(actual, predicted, count) for (actual, predicted), count in counted.items() if actual is not None]
