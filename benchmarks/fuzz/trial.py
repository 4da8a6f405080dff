"""Try one input: it must become a prepared image, or be refused by `ImageRejected`."""

from __future__ import annotations

from enum import Enum

import numpy as np

from classifier.images import decode
from classifier.preprocess import SIDE, prepare
from core.errors import ImageRejected

#: Most pixels that are decoded while fuzzing; fewer than in earnest, so that inputs stay quick.
MAX_PIXELS = 1_000_000


class Outcome(Enum):
    """What became of an input."""

    #: It could not be decoded, and was refused.
    REFUSED = "refused"
    #: It was decoded, but shows no ink, and was refused.
    BLANK = "blank"
    #: It became an image of MNIST's form.
    PREPARED = "prepared"


class WrongResult(Exception):
    """What came out is no picture."""


def attempt(data: bytes) -> Outcome:
    """Decode and prepare an input.

    Raises:
        WrongResult: something came out that is not as promised.
        Exception: whatever else the code that is tried raises; that it does is the bug that is looked for.
    """
    try:
        picture = decode(data, max_pixels=MAX_PIXELS)
    except ImageRejected:
        return Outcome.REFUSED
    if picture.dtype != np.uint8 or picture.shape[2:] not in ((), (3,)) or not 0 < picture.size <= 3 * MAX_PIXELS:
        raise WrongResult(f"decoding gave {picture.dtype} {picture.shape}")
    try:
        prepared = prepare(picture)
    except ImageRejected:
        return Outcome.BLANK
    if prepared.dtype != np.uint8 or prepared.shape != (SIDE, SIDE):
        raise WrongResult(f"preprocessing gave {prepared.dtype} {prepared.shape}")
    return Outcome.PREPARED
