"""The sample digits: the MNIST test set, written out as a folder of PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2

from core.errors import DatasetError
from training.idx import read_idx

FOLDER = Path(__file__).resolve().parent.parent / "samples"


def write_samples(folder: Path, count: int) -> int:
    """Write the first `count` digits as `<label>/<number>.png`, 28x28, ink bright on black.

    Returns:
        How many were written.

    Raises:
        DatasetError: the samples are missing or damaged, or the disk is full.
    """
    images = read_idx(FOLDER / "t10k-images-idx3-ubyte.gz")[:count]
    labels = read_idx(FOLDER / "t10k-labels-idx1-ubyte.gz")[:count]
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{number:05}.png"
        if not cv2.imwrite(str(path), image):
            raise DatasetError(f"{path} cannot be written.", mend="Make room on the disk.")
    return len(images)
