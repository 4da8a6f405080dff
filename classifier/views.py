"""Several looks at one image: what networks say of it is averaged over small shifts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import SIDE

#: Pixels down and to the right that an image is moved by.
Shift = tuple[int, int]

#: One look at an image, as it is.
UNMOVED: tuple[Shift, ...] = ((0, 0),)


def looks(images: NDArray[np.float32], shifts: Sequence[Shift]) -> NDArray[np.float32]:
    """Move all images by every shift (Krizhevsky et al. 2012, section 4.1, for crops).

    Networks that halve the picture see every second row and column only; a shift by one pixel shows them the others.

    Args:
        images: float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).
        shifts: at least one; what leaves the picture is lost, and paper comes in.

    Returns:
        float32, (shifts * n, 28, 28, 1), all images by the first shift first.
    """
    if tuple(shifts) == UNMOVED:
        return images
    reach = max(max(abs(down), abs(right)) for down, right in shifts)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    corners = [(reach - down, reach - right) for down, right in shifts]
    return np.concatenate([padded[:, top : top + SIDE, left : left + SIDE] for top, left in corners])


def mean_of_looks(said: NDArray[np.float32], shifts: Sequence[Shift]) -> NDArray[np.float32]:
    """Average over the looks what networks say of each.

    Args:
        said: float32, (shifts * n, 10), logits of what `looks` made of n images.
        shifts: the same.

    Returns:
        float32, (n, 10).
    """
    mean: NDArray[np.float32] = said.reshape(len(shifts), -1, said.shape[1]).mean(axis=0)
    return mean
