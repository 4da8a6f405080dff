"""How many pictures are read right, for the tests of preprocessing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from classifier.predict import Predictor
from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected


def share_read(pictures: Iterable[Image], labels: NDArray[np.int64], predictor: Predictor) -> float:
    """Share of pictures that are read right, 0 to 1; one that is rejected is not."""
    prepared = [_prepared(picture) for picture in pictures]
    found = predictor(np.stack([np.zeros((SIDE, SIDE), np.uint8) if one is None else one for one in prepared])).labels
    right = found == labels[: len(found)]
    return float(np.mean(right & np.array([one is not None for one in prepared])))


def _prepared(picture: Image) -> Image | None:
    try:
        return prepare(picture)
    except ImageRejected:
        return None
