"""Make confidences mean what they say: one temperature for all logits, and the error that remains."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import beta

from classifier.artifact import RiskPoint

#: How often one of the bounds may fail.
_ALPHA = 0.05
#: Half width of a two-sided interval of that level, in standard deviations of a normal distribution.
_WIDTH = 1.959964
#: Bins that confidences are counted in.
BINS = 15
#: Confidences that a target error may become. A label less likely than all others together is never sure.
GRID = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
#: Bounds that the temperature is looked for in.
_COLDEST, _HOTTEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Find the temperature of the least negative log-likelihood (Guo et al. 2017, section 4.2).

    Args:
        logits: float32, (n, 10), of digits that the network was not trained on.
        labels: int64, (n,).

    Returns:
        What logits are to be divided by; it changes confidences, never labels.
    """
    wide = logits.astype(np.float64)
    places = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(wide / np.exp(log_temperature), axis=1)[places, labels].mean())

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def reliability(
    confidences: NDArray[np.float32], correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Count how often confidences are right, by bins of equal width from 0 to 1.

    Returns:
        Mean confidence and share of right labels by bin, float64, NaN in empty bins; images by bin, int64; all (BINS,).
    """
    place = np.minimum((confidences * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, confidences, minlength=BINS), np.bincount(place, correct, minlength=BINS)
    sure, right = (np.divide(total, count, out=np.full(BINS, np.nan), where=count > 0) for total in sums)
    return sure, right, count.astype(np.int64)


def calibration_error(confidences: NDArray[np.float32], correct: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """Compute how far confidence and accuracy lie apart, over bins of equal mass (Nguyen and O'Connor 2015, section 3).

    Bins of equal width would put nearly all images of a good model into the last one.

    Args:
        confidences: float32, (n,), 0 to 1; n at least 1.
        correct: bool, (n,).
        bins: number of bins that the images, ranked by confidence, are dealt into.

    Returns:
        Mean distance over the images, 0 to 1.
    """
    ranked = np.argsort(confidences, kind="stable")
    parts = [part for part in np.array_split(ranked, bins) if len(part)]
    distances = [abs(float(confidences[part].mean(dtype=np.float64)) - float(correct[part].mean())) for part in parts]
    return float(np.average(distances, weights=[len(part) for part in parts]))


def share_interval(count: int, whole: int) -> tuple[float, float]:
    """Compute the 95 % interval of a share (Wilson 1927): good for few images and for shares near 0 and 1.

    Args:
        count: how many of them.
        whole: of how many; at least 1.

    Returns:
        Its ends, 0 to 1.
    """
    share, spread = count / whole, _WIDTH**2 / whole
    middle = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def risk_points(confidences: NDArray[np.float32], correct: NDArray[np.bool_]) -> tuple[RiskPoint, ...]:
    """Say how many labels are wrong among the sure ones, at confidences that are fixed before anything is seen.

    The bounds are upper ends of intervals (Clopper and Pearson 1934), each so wide that all of them hold together 19
    times in 20 (Bonferroni): one is chosen among them, as in selective classification with guaranteed risk (Geifman
    and El-Yaniv 2017, section 3).

    Args:
        confidences: float32, (n,), 0 to 1, of images that nothing was trained on; n at least 1.
        correct: bool, (n,).

    Returns:
        A point for each of `GRID`, ascending.
    """
    count = len(confidences)
    points = []
    for above in GRID:
        sure = confidences > above
        answered, wrong = int(sure.sum()), int((sure & ~correct).sum())
        points.append(RiskPoint(float(above), answered / count, _upper_bound(wrong, answered)))
    return tuple(points)


def _upper_bound(wrong: int, answered: int) -> float:
    """Upper end of the one-sided interval of a share."""
    return 1.0 if wrong >= answered else float(beta.ppf(1 - _ALPHA / len(GRID), wrong + 1, answered - wrong))
