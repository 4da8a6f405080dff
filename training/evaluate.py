"""How good predictions are: accuracy and its interval, precision, recall, F1, confusion and calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from classifier.preprocess import Image
from core.vocabulary import DIGITS
from training.calibrate import calibration_error, share_interval

if TYPE_CHECKING:  # metrics of what is scored already need no TensorFlow
    from classifier.predict import Scores


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one digit is read; all but the number of images from 0 to 1."""

    precision: float
    recall: float
    f1: float
    #: Images whose true label is this digit.
    images: int

    def as_dict(self) -> dict[str, float | int]:
        """The scores as JSON takes them."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1, "images": self.images}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good predictions are; shares from 0 to 1."""

    accuracy: float
    #: Means over the digits that occur, as a true or as a predicted label, each with the same weight.
    macro_precision: float
    macro_recall: float
    macro_f1: float
    #: By digit, 0 to 9.
    per_class: tuple[ClassScore, ...]
    #: int64, (10, 10), rows actual, columns predicted.
    confusion_matrix: NDArray[np.int64]
    #: Expected calibration error over 15 bins of equal mass; None where confidences are not known.
    calibration_error: float | None
    #: Number of images.
    images: int
    #: Share of images that a second, more careful model was asked about.
    escalated_share: float = 0.0

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy: where it would lie on digits without end (Wilson 1927)."""
        return share_interval(int(self.confusion_matrix.trace()), self.images)

    def as_dict(self) -> dict[str, object]:
        """The evaluation as JSON takes it; `per_class` by digit."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
            "macro_f1": self.macro_f1,
            "per_class": {str(digit): score.as_dict() for digit, score in enumerate(self.per_class)},
            "confusion_matrix": self.confusion_matrix.tolist(),
            "calibration_error": self.calibration_error,
            "images": self.images,
            "escalated_share": self.escalated_share,
        }


def evaluate(predictor: Callable[[Image], Scores], images: Image, labels: NDArray[np.int64]) -> Evaluation:
    """Score prepared images and compare with the truth.

    Args:
        predictor: a `Predictor`, or what can be called like one.
        images: uint8, (n, 28, 28), prepared; n at least 1.
        labels: int64, (n,).

    Raises:
        ValueError: there are no images, or not as many labels.
    """
    return judge_scores(predictor(images), labels)


def judge_scores(scores: Scores, labels: NDArray[np.int64]) -> Evaluation:
    """Compare what a model said with the truth.

    Args:
        scores: of n images; n at least 1.
        labels: int64, (n,).

    Raises:
        ValueError: there are no labels, or not as many of both kinds.
    """
    return judge(scores.labels, labels, confidences=scores.confidences, escalated=scores.escalated)


def judge(
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    confidences: NDArray[np.float32] | None = None,
    escalated: NDArray[np.bool_] | None = None,
) -> Evaluation:
    """Compare predicted labels with true ones.

    Args:
        predicted: int64, (n,); n at least 1.
        labels: int64, (n,).
        confidences: float32, (n,), probability of the predicted label.
        escalated: bool, (n,), whether a more careful model was asked; None: of no image.

    Raises:
        ValueError: there are no labels, or not as many of both kinds.
    """
    if len(labels) == 0 or len(labels) != len(predicted):
        raise ValueError(f"{len(predicted)} predictions cannot be judged by {len(labels)} true labels.")
    macro = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    digits = np.arange(DIGITS)
    each = precision_recall_fscore_support(labels, predicted, labels=digits, zero_division=0)
    error = None if confidences is None else calibration_error(confidences, predicted == labels)
    return Evaluation(
        accuracy=float(accuracy_score(labels, predicted)),
        macro_precision=float(macro[0]),
        macro_recall=float(macro[1]),
        macro_f1=float(macro[2]),
        per_class=tuple(ClassScore(float(p), float(r), float(f), int(n)) for p, r, f, n in zip(*each, strict=True)),
        confusion_matrix=confusion_matrix(labels, predicted, labels=digits).astype(np.int64),
        calibration_error=error,
        images=len(labels),
        escalated_share=0.0 if escalated is None else float(escalated.mean()),
    )


def score_matrix(confusion: NDArray[np.int64]) -> Evaluation:
    """Compute the same figures from a confusion matrix alone; without a calibration error.

    Args:
        confusion: int64, (10, 10), rows actual, columns predicted; not all zero.

    Raises:
        ValueError: the matrix has another shape or counts nothing.
    """
    if confusion.shape != (DIGITS, DIGITS) or confusion.sum() == 0:
        raise ValueError("A confusion matrix must be 10x10 and count at least one image.")
    hits, actual, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _share(hits, predicted), _share(hits, actual)
    f1 = _share(2 * hits, actual + predicted)
    occurring = actual + predicted > 0
    return Evaluation(
        accuracy=float(hits.sum() / confusion.sum()),
        macro_precision=float(precision[occurring].mean()),
        macro_recall=float(recall[occurring].mean()),
        macro_f1=float(f1[occurring].mean()),
        per_class=tuple(
            ClassScore(float(p), float(r), float(f), int(n))
            for p, r, f, n in zip(precision, recall, f1, actual, strict=True)
        ),
        confusion_matrix=confusion.astype(np.int64),
        calibration_error=None,
        images=int(confusion.sum()),
    )


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide; nothing of nothing is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
