"""Sample digits and image files of every kind for the tests of the classifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from classifier.artifact import shipped_model
from classifier.predict import Predictor
from classifier.preprocess import Image
from training.dataset import Digits
from training.idx import read_idx

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The 10,000 sample digits with their true labels."""
    labels = read_idx(SAMPLES / "t10k-labels-idx1-ubyte.gz").astype(np.int64)
    return Digits(read_idx(SAMPLES / "t10k-images-idx3-ubyte.gz"), labels)


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The shipped model, ready."""
    return Predictor(shipped_model(), batch_size=256)


@pytest.fixture(scope="session")
def scan(digits: Digits) -> Callable[[int], Image]:
    """A sample digit as a scan would show it: 200x200, dark ink on light paper, off centre, edges soft."""

    def make(index: int) -> Image:
        ink = cv2.resize(digits.images[index], (140, 140), interpolation=cv2.INTER_CUBIC)
        page = cv2.copyMakeBorder(ink, 15, 45, 40, 20, cv2.BORDER_CONSTANT)
        return (230 - 0.8 * page).astype(np.uint8)

    return make


@pytest.fixture
def colours() -> Image:
    """A picture whose every quarter tells itself apart, 40 wide and 20 high, BGR."""
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:10, :20] = (250, 10, 10)
    picture[:10, 20:] = (10, 250, 10)
    picture[10:, :20] = (10, 10, 250)
    picture[10:, 20:] = (240, 240, 240)
    return picture
