"""The sample digits: the MNIST test set, written out as a folder of PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError
from core.vocabulary import DIGITS
from training.idx import read_idx

Array = NDArray[np.uint8]

FOLDER = Path(__file__).resolve().parent.parent / "samples"


def read_samples(count: int) -> tuple[Array, Array]:
    """Read the first `count` digits.

    Returns:
        Images, uint8, (count, 28, 28), ink bright on black, and labels, uint8, (count,).

    Raises:
        DatasetError: the samples are missing or damaged.
    """
    images, labels = (read_idx(FOLDER / f"t10k-{part}-ubyte.gz") for part in ("images-idx3", "labels-idx1"))
    return images[:count], labels[:count]


def write_samples(folder: Path, count: int) -> int:
    """Write the first `count` digits as `<label>/<number>.png`, 28x28, ink bright on black.

    Returns:
        How many were written.

    Raises:
        DatasetError: the samples are missing or damaged, or the disk is full.
    """
    images, labels = read_samples(count)
    for label in range(DIGITS):
        (folder / str(label)).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{number:05}.png"
        if not cv2.imwrite(str(path), image):
            raise DatasetError(f"{path} cannot be written.", mend="Make room on the disk.")
    return len(images)
