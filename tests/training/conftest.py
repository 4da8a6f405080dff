"""Sample digits for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.dataset import Digits, Split
from training.idx import read_idx

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The 10,000 sample digits with their true labels."""
    labels = read_idx(SAMPLES / "t10k-labels-idx1-ubyte.gz").astype(np.int64)
    return Digits(read_idx(SAMPLES / "t10k-images-idx3-ubyte.gz"), labels)


@pytest.fixture(scope="session")
def few(digits: Digits) -> Split:
    """600 digits to learn from and 200 to measure on."""
    places = np.arange(800)
    return Split(digits.take(places[:600]), digits.take(places[600:]))
