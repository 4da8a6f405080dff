"""Vary prepared digits the way hands, pens and scanners do, by chance and repeatably."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected
from training.corruptions import CORRUPTIONS

#: Side of the coarse grid of random displacements that bends a digit.
_GRID = 4
_MIDDLE = (SIDE - 1) / 2
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
#: Cubic interpolation from the coarse grid to pixels: what resizing does to every unit vector, float32, (28, 4).
_SPREAD = cv2.resize(np.eye(_GRID, dtype=np.float32), (_GRID, SIDE), interpolation=cv2.INTER_CUBIC)
_BRUSH = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Variation:
    """How far digits are varied; shares are those of the digits that it happens to, 0 to 1."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

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
    #: Share of digits that are bent.
    bent: float = 0.5
    #: Share of digits whose strokes are made thicker or thinner, by up to a pixel on either side.
    stroke: float = 0.0
    #: Share of digits that get grain over the whole picture.
    noise: float = 0.0
    #: Share of digits of which a small box is wiped out.
    erase: float = 0.0
    #: Share of digits that are damaged by one of `corruptions`, then prepared anew as scoring would.
    corrupt: float = 0.0
    #: Names in `training.corruptions.CORRUPTIONS`.
    corruptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.corruptions:
            if name not in CORRUPTIONS:
                raise ValueError(f"there is no corruption {name!r}; there are {', '.join(CORRUPTIONS)}")


def augment(images: Image, rng: np.random.Generator, variation: Variation | None = None) -> Image:
    """Vary every image by chance.

    Turns, slants, stretches and shifts come with bending in one interpolation (elastic distortions: Simard et al.
    2003, section 2, on a coarse grid); boxes are wiped out as in random erasing (Zhong et al. 2020).

    Args:
        images: uint8, (n, 28, 28).
        rng: source of chance; the same state gives the same images.
        variation: how far; default: `Variation()`.

    Returns:
        uint8, (n, 28, 28), a new array.
    """
    variation = variation or Variation()
    columns, rows = maps(len(images), rng, variation)
    varied = np.empty_like(images)
    for index, image in enumerate(images):
        varied[index] = cv2.remap(image, columns[index], rows[index], cv2.INTER_LINEAR)
    for index in _chosen(len(images), variation.stroke, rng):
        varied[index] = change_stroke(varied[index], rng)
    for index in _chosen(len(images), variation.erase, rng):
        wipe_box(varied[index], rng)
    for index in _chosen(len(images), variation.noise, rng):
        varied[index] = add_grain(varied[index], rng)
    if variation.corruptions:
        for index in _chosen(len(images), variation.corrupt, rng):
            varied[index] = damage(varied[index], rng, variation.corruptions)
    return varied


def maps(count: int, rng: np.random.Generator, variation: Variation) -> Maps:
    """Draw where every pixel of the new images comes from.

    Returns:
        Columns and rows in the old images, float32, both (count, 28, 28).
    """
    linear, shift = _affine(count, rng, variation)
    bends = rng.normal(0, variation.bend, (count, 2, _GRID, _GRID)).astype(np.float32)
    bends *= (rng.random(count) < variation.bent).astype(np.float32)[:, None, None, None]
    displaced = _SPREAD @ bends @ _SPREAD.T
    x = _COLUMNS - _MIDDLE + displaced[:, 0]
    y = _ROWS - _MIDDLE + displaced[:, 1]
    columns = linear[:, 0, 0, None, None] * x + linear[:, 0, 1, None, None] * y + shift[:, 0, None, None] + _MIDDLE
    rows = linear[:, 1, 0, None, None] * x + linear[:, 1, 1, None, None] * y + shift[:, 1, None, None] + _MIDDLE
    return columns.astype(np.float32), rows.astype(np.float32)


def change_stroke(image: Image, rng: np.random.Generator) -> Image:
    """Make strokes thicker or thinner by a part of a pixel: mix the picture with its dilation or erosion."""
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    share = float(rng.uniform(0.3, 0.9))
    mixed: Image = cv2.addWeighted(image, 1 - share, change(image, _BRUSH), share, 0)
    return mixed


def add_grain(image: Image, rng: np.random.Generator) -> Image:
    """Add Gaussian noise of up to a tenth of white."""
    grain = rng.normal(0, rng.uniform(4, 25), image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def wipe_box(image: Image, rng: np.random.Generator) -> None:
    """Wipe out a box of 3 to 7 pixels a side, in place."""
    height, width = rng.integers(3, 8, 2)
    top, left = rng.integers(4, SIDE - 4 - height), rng.integers(4, SIDE - 4 - width)
    image[top : top + height, left : left + width] = 0


def damage(image: Image, rng: np.random.Generator, corruptions: tuple[str, ...]) -> Image:
    """Damage a digit as `training.corruptions` does and prepare it anew; one that is not legible any more stays."""
    name = corruptions[rng.integers(len(corruptions))]
    try:
        return prepare(CORRUPTIONS[name](image, rng))
    except ImageRejected:
        return image


def _affine(
    count: int, rng: np.random.Generator, variation: Variation
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw maps from new to old coordinates about the middle: linear (count, 2, 2) and shift (count, 2)."""
    angle = np.deg2rad(rng.uniform(-variation.rotation, variation.rotation, count))
    slant = rng.uniform(-variation.shear, variation.shear, count)
    stretch = rng.uniform(1 - variation.scale, 1 + variation.scale, (count, 2))
    shift = rng.uniform(-variation.shift, variation.shift, (count, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    lean = np.stack([np.stack([stretch[:, 0], slant], -1), np.stack([np.zeros(count), stretch[:, 1]], -1)], -2)
    return (turn @ lean).astype(np.float32), shift.astype(np.float32)


def _chosen(count: int, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.flatnonzero(rng.random(count) < share)
