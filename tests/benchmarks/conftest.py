"""Digits for the tests of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.dataset import Digits
from training.idx import read_idx

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The 10,000 sample digits with their true labels."""
    labels = read_idx(SAMPLES / "t10k-labels-idx1-ubyte.gz").astype(np.int64)
    return Digits(read_idx(SAMPLES / "t10k-images-idx3-ubyte.gz"), labels)
