"""Everything that is measured of a model on digits it has not seen: how good, how sure, how fast, how robust."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.predict import Predictor, Scorer, Scores
from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected
from training.corruptions import CORRUPTIONS, corrupt
from training.dataset import Digits
from training.evaluate import Evaluation, judge_scores
from training.recipe import Progress

#: Most points of the curve of coverage and risk.
CURVE_POINTS = 200
#: Most mistakes that JSON tells of, the worst first.
TOLD_MISTAKES = 100


@dataclass(frozen=True, slots=True)
class Curve:
    """How many labels are wrong among the surest ones, for every share of them that is answered."""

    #: float64, (n,), ascending to 1: share of the images that are answered; n at most 200.
    coverage: NDArray[np.float64]
    #: float64, (n,): share of wrong labels among them.
    risk: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One image that was read wrong."""

    #: Place among the images, from 0.
    position: int
    true: int
    predicted: int
    #: Calibrated probability of the predicted label.
    confidence: float
    #: File of the image, relative to the folder; empty where it has none.
    path: str = ""

    def as_dict(self) -> dict[str, str | int | float]:
        """The mistake as JSON takes it."""
        told = {"position": self.position, "true": self.true, "predicted": self.predicted}
        return {**told, "confidence": self.confidence, **({"path": self.path} if self.path else {})}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a model; shares from 0 to 1."""

    evaluation: Evaluation
    #: float32, (n,), and bool, (n,): calibrated probability of each label, and whether it is right.
    confidences: NDArray[np.float32]
    correct: NDArray[np.bool_]
    #: Share of wrong labels to bear among the sure ones, and the confidence above which labels are sure for it.
    target_error: float
    confident_above: float
    #: Share of the images whose label is sure.
    coverage: float
    #: Share of wrong labels among those; None where there is none.
    risk: float | None
    curve: Curve
    #: The surest first.
    mistakes: tuple[Mistake, ...]
    #: Prepared images scored in this process.
    images_per_second: float
    #: The fast network of a cascade alone, on the same images, and its speed; None where there is no other.
    fast: Evaluation | None = None
    fast_images_per_second: float | None = None

    def as_dict(self) -> dict[str, object]:
        """The measurement as JSON takes it: the figures of the evaluation, and what goes beyond it."""
        told: dict[str, object] = {
            **self.evaluation.as_dict(),
            "target_error": self.target_error,
            "confident_above": self.confident_above,
            "coverage": self.coverage,
            "risk": self.risk,
            "coverage_risk": {"coverage": self.curve.coverage.tolist(), "risk": self.curve.risk.tolist()},
            "images_per_second": self.images_per_second,
            "mistakes": [mistake.as_dict() for mistake in self.mistakes[:TOLD_MISTAKES]],
        }
        if self.fast is not None:
            told["fast"] = {**self.fast.as_dict(), "images_per_second": self.fast_images_per_second}
        return told


def measure(
    predictor: Predictor, digits: Digits, *, target_error: float, paths: Sequence[str] | None = None
) -> Measurement:
    """Measure the model of a folder.

    Args:
        predictor: the model.
        digits: prepared, at least one; none that it was trained on or chosen by.
        target_error: share of wrong labels to bear among the sure ones.
        paths: file of each digit, where they come from files.

    Raises:
        ValueError: there are no digits.
    """
    scores, speed = timed(predictor, digits.images)
    evaluation = judge_scores(scores, digits.labels)
    correct = scores.labels == digits.labels
    above = predictor.card.confident_above(target_error)
    sure = scores.confidences > above
    fast, fast_speed = None, None
    if predictor.card.careful:
        said, fast_speed = timed(lambda images: Scorer.__call__(predictor, images), digits.images)
        fast = judge_scores(said, digits.labels)
    return Measurement(
        evaluation=evaluation,
        confidences=scores.confidences,
        correct=correct,
        target_error=target_error,
        confident_above=above,
        coverage=float(sure.mean()),
        risk=float((~correct[sure]).mean()) if sure.any() else None,
        curve=coverage_risk(scores.confidences, correct),
        mistakes=find_mistakes(scores, digits.labels, paths),
        images_per_second=speed,
        fast=fast,
        fast_images_per_second=fast_speed,
    )


def timed(predictor: Callable[[Image], Scores], images: Image) -> tuple[Scores, float]:
    """Score images, and say how many a second; what is slow the first time is done before."""
    predictor(images[:1])
    start = time.perf_counter()
    scores = predictor(images)
    return scores, len(images) / (time.perf_counter() - start)


def coverage_risk(confidences: NDArray[np.float32], correct: NDArray[np.bool_]) -> Curve:
    """Compute the curve of coverage and risk (El-Yaniv and Wiener 2010), thinned to 200 points.

    Every mistake is a corner of the curve, and corners are what thinning keeps.

    Args:
        confidences: float32, (n,), 0 to 1; n at least 1.
        correct: bool, (n,).
    """
    ranked = np.argsort(-confidences, kind="stable")
    wrong = np.cumsum(~correct[ranked])
    # A threshold cannot part equal confidences, so of those only the last is a point.
    ends = np.flatnonzero(np.diff(confidences[ranked], append=-1))
    risen = np.flatnonzero(np.diff(wrong[ends], prepend=0))
    corners = np.concatenate([np.maximum(risen - 1, 0), risen, _spread(len(ends), CURVE_POINTS // 4)])
    kept = np.unique(corners)
    chosen = ends[kept[_spread(len(kept), CURVE_POINTS)]]
    return Curve((chosen + 1) / len(ranked), wrong[chosen] / (chosen + 1))


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """Choose up to `most` of `count` places, evenly, the first and the last among them."""
    places: NDArray[np.intp] = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))
    return places


def find_mistakes(scores: Scores, labels: NDArray[np.int64], paths: Sequence[str] | None = None) -> tuple[Mistake, ...]:
    """Find the images that were read wrong, the surest first.

    Args:
        scores: of n images.
        labels: int64, (n,).
        paths: n files.
    """
    wrong = np.flatnonzero(scores.labels != labels)
    ranked = wrong[np.argsort(-scores.confidences[wrong], kind="stable")]
    return tuple(
        Mistake(
            position=int(place),
            true=int(labels[place]),
            predicted=int(scores.labels[place]),
            confidence=float(scores.confidences[place]),
            path="" if paths is None else paths[place],
        )
        for place in ranked
    )


def measure_corruptions(
    predictor: Callable[[Image], Scores], digits: Digits, *, seed: int, progress: Progress
) -> dict[str, float]:
    """Measure how many digits are still read right once they are spoilt.

    A spoilt digit is prepared as any picture would be; one that is refused as blank counts as read wrong.

    Args:
        predictor: a model.
        digits: raw or prepared ones, at least one.
        seed: of the chance in the corruptions.
        progress: told of each corruption.

    Returns:
        The accuracy, 0 to 1, by the name of the corruption.
    """
    accuracies: dict[str, float] = {}
    for done, name in enumerate(CORRUPTIONS):
        progress(done, len(CORRUPTIONS), name.replace("_", " "))
        prepared, legible = _prepared(corrupt(digits.images, name, seed))
        accuracies[name] = float((legible & (predictor(prepared).labels == digits.labels)).mean())
    progress(len(CORRUPTIONS), len(CORRUPTIONS), "done")
    return accuracies


def _prepared(images: Image) -> tuple[Image, NDArray[np.bool_]]:
    """Prepare images; those that are refused stay black and are marked."""
    prepared = np.zeros((len(images), SIDE, SIDE), np.uint8)
    legible = np.ones(len(images), np.bool_)
    for place, image in enumerate(images):
        try:
            prepared[place] = prepare(image)
        except ImageRejected:
            legible[place] = False
    return prepared, legible
