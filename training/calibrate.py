"""Make confidences mean what they say: one temperature for all logits, and the error that remains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

#: Bins of equal width that confidences are counted in.
BINS = 15
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
    confidences: NDArray[np.float32], correct: NDArray[np.bool_], *, bins: int = BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Count how often confidences are right, by bins of equal width from 0 to 1.

    Returns:
        Mean confidence and share of right labels by bin, float64, NaN in empty bins; images by bin, int64; all (bins,).
    """
    place = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidences, minlength=bins), np.bincount(place, correct, minlength=bins)
    sure, right = (np.divide(total, count, out=np.full(bins, np.nan), where=count > 0) for total in sums)
    return sure, right, count.astype(np.int64)


def calibration_error(confidences: NDArray[np.float32], correct: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """Compute the expected calibration error (Naeini et al. 2015): how far confidence and accuracy lie apart.

    Args:
        confidences: float32, (n,), 0 to 1; n at least 1.
        correct: bool, (n,).
        bins: number of bins of equal width.

    Returns:
        Mean distance over the images, 0 to 1.
    """
    sure, right, count = reliability(confidences, correct, bins=bins)
    filled = count > 0
    return float((np.abs(sure - right)[filled] * count[filled]).sum() / count.sum())
