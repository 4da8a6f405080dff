"""Several looks at one image: what networks say of it is averaged over small shifts."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from classifier.preprocess import SIDE
from core.vocabulary import DIGITS

#: Pixels down and to the right that an image is moved by.
Shift = tuple[int, int]

#: One look at an image, as it is.
UNMOVED: tuple[Shift, ...] = ((0, 0),)


def mean_logits(networks: Sequence[keras.Model], images: tf.Tensor, shifts: Sequence[Shift]) -> tf.Tensor:
    """Average logits over networks and over shifts of the images (Krizhevsky et al. 2012, section 4.1, for crops).

    Networks that halve the picture see every second row and column only; a shift by one pixel shows them the others.

    Args:
        networks: from float32 (n, 28, 28, 1) to logits (n, 10); at least one.
        images: float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).
        shifts: at least one; what leaves the picture is lost, and paper comes in.

    Returns:
        float32, (n, 10).
    """
    looks = _shifted(images, shifts)
    said = tf.add_n([network(looks, training=False) for network in networks]) / len(networks)
    if len(shifts) == 1:
        return said
    return tf.reduce_mean(tf.reshape(said, (len(shifts), -1, DIGITS)), axis=0)


def _shifted(images: tf.Tensor, shifts: Sequence[Shift]) -> tf.Tensor:
    """Move all images by every shift: float32, (shifts * n, 28, 28, 1)."""
    if tuple(shifts) == UNMOVED:
        return images
    reach = max(max(abs(down), abs(right)) for down, right in shifts)
    padded = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    corners = [(reach - down, reach - right) for down, right in shifts]
    return tf.concat([padded[:, top : top + SIDE, left : left + SIDE] for top, left in corners], axis=0)
