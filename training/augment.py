"""Vary prepared digits the way hands do: turn, slant, stretch, shift and bend them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import SIDE, Image

#: Side of the coarse grid of random displacements that bends a digit (Simard et al. 2003, in spirit).
_GRID = 4
_MIDDLE = (SIDE - 1) / 2
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Variation:
    """How far digits are varied."""

    #: Farthest turn, in degrees.
    rotation: float = 12.0
    #: Farthest slant, in pixels per pixel.
    shear: float = 0.15
    #: Farthest stretch of either side, as a share.
    scale: float = 0.12
    #: Farthest shift, in pixels.
    shift: float = 2.0
    #: Standard deviation of the bending displacements, in pixels.
    bend: float = 0.7
    #: Share of digits that are bent, 0 to 1; bending costs twice what the rest does.
    bent: float = 0.5


def augment(images: Image, rng: np.random.Generator, variation: Variation | None = None) -> Image:
    """Vary every image by chance.

    Args:
        images: uint8, (n, 28, 28).
        rng: source of chance; the same state gives the same images.
        variation: how far; default: `Variation()`.

    Returns:
        uint8, (n, 28, 28), a new array.
    """
    variation = variation or Variation()
    turns = affine_matrices(len(images), rng, variation)
    bends = rng.normal(0, variation.bend, (len(images), 2, _GRID, _GRID)).astype(np.float32)
    bent = rng.random(len(images)) < variation.bent
    varied = np.empty_like(images)
    for index, image in enumerate(images):
        turned = cv2.warpAffine(image, turns[index], (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        varied[index] = bend(turned, bends[index]) if bent[index] else turned
    return varied


def affine_matrices(count: int, rng: np.random.Generator, variation: Variation) -> NDArray[np.float64]:
    """Draw affine maps about the middle of the image.

    Returns:
        float64, (count, 2, 3), from old to new coordinates as (x, y).
    """
    angle = np.deg2rad(rng.uniform(-variation.rotation, variation.rotation, count))
    slant = rng.uniform(-variation.shear, variation.shear, count)
    stretch = rng.uniform(1 - variation.scale, 1 + variation.scale, (count, 2))
    shift = rng.uniform(-variation.shift, variation.shift, (count, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    lean = np.stack([np.stack([stretch[:, 0], slant], -1), np.stack([np.zeros(count), stretch[:, 1]], -1)], -2)
    linear = turn @ lean
    middle = np.full(2, _MIDDLE)
    offset = middle + shift - linear @ middle
    return np.concatenate([linear, offset[..., np.newaxis]], -1)


def bend(image: Image, displacements: NDArray[np.float32]) -> Image:
    """Displace the pixels of one image smoothly.

    Args:
        image: uint8, (28, 28).
        displacements: float32, (2, 4, 4), in pixels to the right and down on a coarse grid over the image.

    Returns:
        uint8, (28, 28).
    """
    right = cv2.resize(displacements[0], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    down = cv2.resize(displacements[1], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    bent: Image = cv2.remap(image, _COLUMNS + right, _ROWS + down, cv2.INTER_LINEAR)
    return bent
