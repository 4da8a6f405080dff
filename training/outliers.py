"""Draw what is no digit, letters, signs and scribbles, for networks to learn the difference from.

A network that saw nothing but digits takes whatever it is shown for one. One that learns of other pictures that every
digit is as likely as the next stays unsure of those that it never saw, too (Hendrycks et al. 2019, section 3).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected
from training.dataset import NO_DIGIT, Digits
from training.letters import LETTERS, Stroke, bend, strokes_of

#: Side of the page that is drawn on, in pixels: several times a prepared image's, so that strokes come out soft.
_PAGE = 96
#: Bits of a pixel's fraction that OpenCV draws by.
_BITS = 4
#: Smallest and largest pen, in pixels of the page; scaled into 20x20 they are those of MNIST.
_PENS = (5, 14)


def outliers(count: int, *, seed: int) -> Digits:
    """Draw pictures that are no digits, prepared as scoring would.

    Args:
        count: how many.
        seed: the same seed draws the same ones.

    Returns:
        Images with `NO_DIGIT` for a label.
    """
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for place in range(count):
        images[place] = _prepared(np.random.default_rng([seed, place]))
    return Digits(images, np.full(count, NO_DIGIT, np.int64))


def letter(rng: np.random.Generator) -> list[Stroke]:
    """Write a letter or a sign, a little otherwise each time."""
    drawn = strokes_of(LETTERS[rng.integers(len(LETTERS))])
    wobble = rng.uniform(0.01, 0.06)
    written = [(points + rng.normal(0, wobble, points.shape), smooth) for points, smooth in drawn]
    rounded = rng.random() < 0.2  # in haste corners become bends
    return [bend(points) if smooth or rounded else points for points, smooth in written]


def sign(rng: np.random.Generator) -> list[Stroke]:
    """Make a sign of three to six strokes that nobody has a name for."""
    return [bend(rng.random((rng.integers(2, 5), 2))) for _ in range(rng.integers(3, 7))]


def scribble(rng: np.random.Generator) -> list[Stroke]:
    """Scribble without lifting the pen: a walk that keeps its direction for a while."""
    turns = np.cumsum(rng.normal(0, rng.uniform(0.5, 1.6), rng.integers(25, 60)))  # of fewer, some would be digits
    walk = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], -1), axis=0)
    return [bend(walk, steps=4)]


def hatching(rng: np.random.Generator) -> list[Stroke]:
    """Cover a patch by a zigzag, as people do to strike something out."""
    count = int(rng.integers(6, 16))
    across = np.linspace(0, 1, count) + rng.normal(0, 0.02, count)
    along = np.where(np.arange(count) % 2, 0.0, rng.uniform(0.5, 1.2)) + rng.normal(0, 0.08, count)
    return [np.stack([across, along], -1)]


def loops(rng: np.random.Generator) -> list[Stroke]:
    """Draw rows of loops or a spiral; a ring in one place would be a nought."""
    angle = np.linspace(0, rng.uniform(3, 7) * 2 * np.pi, 120)
    spiral = rng.random() < 0.3
    radius = np.linspace(0.05 if spiral else rng.uniform(0.5, 1), 1, 120)
    drift = np.linspace(0, 0 if spiral else rng.uniform(2, 5), 120)
    return [np.stack([radius * np.cos(angle) + drift, radius * rng.uniform(0.5, 1.5) * np.sin(angle)], -1)]


#: What is drawn, and how often.
KINDS: dict[Callable[[np.random.Generator], list[Stroke]], float] = {
    letter: 0.6,
    sign: 0.15,
    scribble: 0.12,
    hatching: 0.07,
    loops: 0.06,
}


def draw(strokes: list[Stroke], rng: np.random.Generator) -> Image:
    """Draw strokes onto a page, turned, slanted and stretched by chance, with one pen.

    Returns:
        uint8, (96, 96), ink bright on 0.
    """
    angle, slant = np.deg2rad(rng.uniform(-15, 15)), rng.uniform(-0.3, 0.3)
    cos, sin = np.cos(angle), np.sin(angle)
    lean = np.array([[cos, -sin], [sin, cos]]) @ np.array([[rng.uniform(0.6, 1.0), slant], [0, 1]])
    turned = [stroke @ lean.T for stroke in strokes]
    points = np.concatenate(turned)
    low, span = points.min(axis=0), np.ptp(points, axis=0).max()
    pen = int(rng.integers(*_PENS))
    room = _PAGE - 3 * pen
    page = np.zeros((_PAGE, _PAGE), np.uint8)
    for stroke in turned:
        _line(page, (stroke - low) / span * room + 1.5 * pen, pen)
    return page


def _prepared(rng: np.random.Generator) -> Image:
    """Draw until something is drawn that preparation takes."""
    kinds = list(KINDS)
    while True:
        kind = kinds[rng.choice(len(kinds), p=list(KINDS.values()))]
        try:
            return prepare(draw(kind(rng), rng))
        except ImageRejected:
            continue  # a letter of two parts, which may be taken for two


def _line(page: Image, points: NDArray[np.float64], pen: int) -> None:
    exact = np.round(points * (1 << _BITS)).astype(np.int32)
    cv2.polylines(page, [exact], isClosed=False, color=255, thickness=pen, lineType=cv2.LINE_AA, shift=_BITS)
