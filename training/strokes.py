"""Pictures drawn by strokes: points to curves, curves to a page, a page to a prepared image."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import Image, prepare
from core.errors import ImageRejected

#: Side of the page that is drawn on, in pixels: several times a prepared image's, so that strokes come out soft.
PAGE = 96
#: Bits of a pixel's fraction that OpenCV draws by.
_BITS = 4
#: Thinnest pen and the one that is too thick, in pixels of the page; scaled into 20x20 they are those of MNIST.
_PENS = (5, 14)

#: Points that a pen goes through, x and y: float64, (n, 2).
Stroke = NDArray[np.float64]


class Way(NamedTuple):
    """The way of a pen: each of its points lies anywhere in a box."""

    #: The corners of the boxes: float64, (n, 2) each.
    low: Stroke
    high: Stroke
    #: Whether the pen bends smoothly through its points, or turns a corner at each.
    smooth: bool


def read_ways(text: str) -> list[Way]:
    """Read the ways of a pen from their short form.

    Args:
        text: points `x,y` from the top left, about 0 to 1; `.1:.3` for a number means anywhere between both; `|` lifts
            the pen; a stroke after `~` is bent smoothly, any other has corners.
    """
    found = []
    for one in text.split("|"):
        boxes = [_box(point) for point in one.removeprefix("~").split()]
        low, high = np.array(boxes).transpose(2, 0, 1)
        found.append(Way(low, high, smooth=one.startswith("~")))
    return found


def _box(point: str) -> list[tuple[float, float]]:
    """Read where a point may lie: least and greatest x, least and greatest y."""
    ranges = [number.partition(":") for number in point.split(",")]
    return [(float(low), float(high or low)) for low, _, high in ranges]


def write(text: str, rng: np.random.Generator) -> list[Stroke]:
    """Write strokes of the short form in some hand: points elsewhere in their boxes, lines bowed, corners rounded or not."""
    wobble, bow = rng.uniform(0.01, 0.06), rng.uniform(0, 0.15)
    rounded = rng.random() < 0.2  # in haste corners become bends
    written = []
    for low, high, smooth in read_ways(text):
        points = rng.uniform(low, high) + rng.normal(0, wobble, low.shape)
        written.append(bend(points) if smooth or rounded else _bowed(points, bow, rng))
    return written


def _bowed(points: Stroke, bow: float, rng: np.random.Generator) -> Stroke:
    """Join points by lines of which each sags to a side, by `bow` of its length as a standard deviation."""
    starts, ends = points[:-1], points[1:]
    across = (ends - starts)[:, ::-1] * (-1, 1)
    middles = (starts + ends) / 2 + across * rng.normal(0, bow, (len(starts), 1))
    return np.concatenate([bend(line) for line in np.stack([starts, middles, ends], axis=1)])


def bend(points: Stroke, steps: int = 8) -> Stroke:
    """Lay a smooth curve through points (Catmull and Rom 1974, uniform).

    Args:
        points: float64, (n, 2); n >= 2.
        steps: points of the curve from one to the next.

    Returns:
        float64, ((n - 1) * steps + 1, 2).
    """
    ends = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


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
    room = PAGE - 3 * pen
    page = np.zeros((PAGE, PAGE), np.uint8)
    for stroke in turned:
        _line(page, (stroke - low) / span * room + 1.5 * pen, pen)
    return page


def prepared(page: Callable[[np.random.Generator], Image], rng: np.random.Generator) -> Image:
    """Draw a page until one is drawn that preparation takes: strokes that lie too far apart may be two digits.

    Returns:
        uint8, (28, 28), as scoring would prepare it.
    """
    while True:
        try:
            return prepare(page(rng))
        except ImageRejected:
            continue


def _line(page: Image, points: Stroke, pen: int) -> None:
    exact = np.round(points * (1 << _BITS)).astype(np.int32)
    cv2.polylines(page, [exact], isClosed=False, color=255, thickness=pen, lineType=cv2.LINE_AA, shift=_BITS)
