"""Several digits of MNIST in a row, as a number is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from benchmarks.pictures.ink import Ink, Picture, Place, Rng, enlarged, ink_box
from benchmarks.pictures.paper import BLACK, BLUE, picture_of, sheet, uneven, written

#: Paper kept around a row, by the height of a digit.
_AROUND = 0.35
#: Share of the narrower digit's width from which on two neighbours are nested rather than touching.
_NESTED = 0.35


def separated(digits: Sequence[Picture], rng: Rng) -> Picture:
    """Two to five digits, none touching another."""
    return _row(digits, rng, touch=False)


def touching(digits: Sequence[Picture], rng: Rng) -> Picture:
    """Two to five digits, two of which touch."""
    return _row(digits, rng, touch=True)


def _row(digits: Sequence[Picture], rng: Rng, *, touch: bool) -> Picture:
    height = float(rng.uniform(60, 140))
    around = round(_AROUND * height)
    bands = [_band(digit, height, rng) for digit in digits]
    gaps = [round(height * rng.uniform(0.12, 0.4)) - _slack(*pair, reach=3) for pair in pairwise(bands)]
    if touch:
        place, slack = _easiest_to_touch(bands, rng)
        gaps[place] = -slack - max(2, round(0.03 * height))
    lefts = np.cumsum([around, *(band.shape[1] + gap for band, gap in zip(bands, gaps, strict=False))])
    ink = np.zeros((len(bands[0]), int(lefts[-1]) + bands[-1].shape[1] + around), np.float32)
    for left, band in zip(lefts.tolist(), bands, strict=True):
        field = ink[:, left : left + band.shape[1]]
        np.maximum(field, band, out=field)
    ink = np.pad(ink, ((around, around), (0, 0)))
    colour = (BLACK, BLUE)[rng.integers(2)]
    page = sheet((ink.shape[0], ink.shape[1]), rng)
    return picture_of(written(page, uneven(ink, rng), colour, strength=0.92))


def _easiest_to_touch(bands: Sequence[Ink], rng: Rng) -> tuple[int, int]:
    """Choose two neighbours by chance that touch without slipping under one another; their place and their slack."""
    slacks = [_slack(*pair, reach=0) for pair in pairwise(bands)]
    shares = [
        slack / min(pair[0].shape[1], pair[1].shape[1]) for slack, pair in zip(slacks, pairwise(bands), strict=True)
    ]
    natural = [place for place, share in enumerate(shares) if share < _NESTED]
    place = natural[rng.integers(len(natural))] if natural else int(np.argmin(shares))
    return place, slacks[place]


def _band(digit: Picture, height: float, rng: Rng) -> Ink:
    """A digit on the line of its row, as high as the row and as wide as the digit."""
    patch = _patch(digit, height * rng.uniform(0.88, 1.12), rng)
    foot = round(height * (1.2 + rng.uniform(-0.06, 0.06)))
    band = np.zeros((round(1.35 * height), patch.shape[1]), np.float32)
    top = max(0, foot - len(patch))
    band[top : top + len(patch)] = patch[: len(band) - top]
    return band


def _patch(digit: Picture, size: float, rng: Rng) -> Ink:
    """A digit at the given height, cut at its own edges."""
    _, _, width, height = ink_box(digit)
    side = round(1.5 * size * max(1.0, width / height))
    ink = enlarged(
        digit, Place((side, side), (side / 2, side / 2), size * max(1.0, width / height), rng.uniform(-4, 4))
    )
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.5), np.flatnonzero(ink.max(axis=0) > 0.5)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _slack(before: Ink, after: Ink, *, reach: int) -> int:
    """How far a digit can move towards the one before it until their inks touch, in pixels.

    Rows up to `reach` apart count as one, so that digits do not slip past each other at a hair's breadth.
    """
    inked = cv2.dilate((before > 0.5).astype(np.uint8), np.ones((2 * reach + 1, 1), np.uint8)) > 0
    free = np.where(inked.any(axis=1), np.argmax(inked[:, ::-1], axis=1), before.shape[1])
    own = np.where((after > 0.5).any(axis=1), np.argmax(after > 0.5, axis=1), after.shape[1])
    return int((free + own).min())


#: Every generator of this module.
GENERATORS = (separated, touching)
