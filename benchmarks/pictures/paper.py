"""Paper of all kinds, what is printed on it, and ink that is written on it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures.ink import Ink, Picture, Rng

#: float32, (height, width, 3) in BGR: how much light each place of a page gives back, 0 to 1.
Page = NDArray[np.float32]
#: Blue, green and red of an ink or a paper, 0 to 1.
Colour = tuple[float, float, float]

WHITE: Colour = (0.97, 0.97, 0.96)
COLD: Colour = (0.97, 0.94, 0.90)
WARM: Colour = (0.78, 0.88, 0.93)
RECYCLED: Colour = (0.70, 0.76, 0.78)
BLACK: Colour = (0.10, 0.09, 0.09)
BLUE: Colour = (0.62, 0.24, 0.13)
RED: Colour = (0.20, 0.15, 0.80)
GREEN: Colour = (0.28, 0.47, 0.10)
GRAPHITE: Colour = (0.36, 0.35, 0.34)
LINE_BLUE: Colour = (0.90, 0.74, 0.62)
LINE_GREY: Colour = (0.70, 0.70, 0.70)

#: Side of the tiles that textures are cut from, in pixels.
_TILE = 1024


def sheet(shape: tuple[int, int], rng: Rng, *, colour: Colour = WHITE, rough: float = 0.008) -> Page:
    """Paper of one colour.

    Args:
        shape: height and width, in pixels.
        rng: the chance in the texture.
        colour: of the paper.
        rough: how much its fibres vary, as a share of its brightness.
    """
    texture = 1 + rough * (texture_of(shape, rng, 0.8) + 0.7 * texture_of(shape, rng, 6.0))
    page: Page = cv2.merge([texture * np.float32(level) for level in colour])
    return page


def texture_of(shape: tuple[int, int], rng: Rng, grain: float) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and standard deviation 1; `grain` is the size of its spots, in pixels."""
    tile = _tile(grain)
    row, column = (int(start) for start in rng.integers(0, _TILE, 2))
    if max(shape) > _TILE:
        tile = np.tile(tile[:_TILE, :_TILE], [1 + -(-side // _TILE) for side in shape])
    return tile[row : row + shape[0], column : column + shape[1]]


@cache
def _tile(grain: float) -> NDArray[np.float32]:
    """Four equal tiles that continue one another, so that a texture may be cut out anywhere."""
    noise = np.random.default_rng(7).standard_normal((_TILE, _TILE), np.float32)
    wide = np.pad(noise, round(4 * grain) + 1, mode="wrap")
    smooth = cv2.GaussianBlur(wide, (0, 0), grain)[round(4 * grain) + 1 :, round(4 * grain) + 1 :][:_TILE, :_TILE]
    tile: NDArray[np.float32] = ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)
    return np.tile(tile, (2, 2))


def written(page: Page, ink: Ink, colour: Colour = BLACK, *, strength: float = 1.0) -> Page:
    """Lay ink onto a page.

    Args:
        page: the page.
        ink: float32, (height, width), what it covers.
        colour: of the ink; lighter than the page it covers like paint, darker like ink.
        strength: how much of the page's own colour the ink keeps back, 0 to 1.
    """
    cover = np.float32(strength) * ink
    # Channel by channel: NumPy is slow where a last axis of three is stretched.
    inked: Page = page * thrice(1 - cover) + cv2.merge([cover * np.float32(level) for level in colour])
    return inked


def thrice(plane: NDArray[np.float32]) -> Page:
    """The same for blue, green and red; float32, (height, width, 3)."""
    page: Page = cv2.merge([plane, plane, plane])
    return page


def uneven(ink: Ink, rng: Rng, *, depth: float = 1.0) -> Ink:
    """Ink as it flows from a pen: a little darker here, paler there."""
    flow = 0.05 * np.abs(texture_of(ink.shape[:2], rng, 24.0)) + 0.05 * np.abs(texture_of(ink.shape[:2], rng, 0.8))
    return np.clip(ink * (1 - depth * flow), 0, 1).astype(np.float32)


def graphite(ink: Ink, rng: Rng, *, strength: float) -> Ink:
    """Pencil: graphite clings to the raised grain of the paper and leaves the hollows white."""
    grain = 0.75 * texture_of(ink.shape[:2], rng, 0.8) + 0.5 * texture_of(ink.shape[:2], rng, 2.0)
    return (ink * np.clip(strength + 0.3 * grain, 0.05, 0.95)).astype(np.float32)


def ruled(shape: tuple[int, int], pitch: float, offset: float, *, width: float = 1.2) -> Ink:
    """Level lines, `pitch` pixels from one another, the first `offset` pixels from the top."""
    rows = np.arange(shape[0], dtype=np.float32)
    away = np.abs((rows - offset + pitch / 2) % pitch - pitch / 2)
    line = np.clip(width / 2 + 0.5 - away, 0, 1).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(line[:, np.newaxis], shape))


def squared(shape: tuple[int, int], pitch: float, offset: tuple[float, float], *, width: float = 1.2) -> Ink:
    """Level and upright lines, `pitch` pixels from one another."""
    level = ruled(shape, pitch, offset[1], width=width)
    upright = ruled(shape[::-1], pitch, offset[0], width=width).T
    return np.maximum(level, upright)


def box(
    shape: tuple[int, int],
    corners: tuple[float, float, float, float],
    *,
    width: float = 2.0,
    dash: float = 0.0,
) -> Ink:
    """The border of a printed box: left, top, right and bottom in pixels; dotted where a dash has a length."""
    left, top, right, bottom = corners
    canvas = np.zeros(shape, np.uint8)
    outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
    for start, end in pairwise(outline):
        for first, last in _pieces(start, end, dash):
            ends = np.rint(np.array([first, last]) * 16).astype(int).tolist()
            cv2.line(canvas, ends[0], ends[1], 255, max(1, round(width)), cv2.LINE_AA, 4)
    return (canvas / np.float32(255)).astype(np.float32)


def _pieces(
    start: NDArray[np.float64], end: NDArray[np.float64], dash: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if not dash:
        return [(start, end)]
    count = max(1, int(np.hypot(*(end - start)) / (2 * dash)))
    ways = np.linspace(0, 1, count + 1)[:-1]
    return [(start + way * (end - start), start + (way + 0.5 / count) * (end - start)) for way in ways]


def picture_of(page: Page) -> Picture:
    """What a camera or a scanner without faults makes of a page; uint8, (height, width, 3) BGR."""
    # Rounds, and keeps what is below 0 and above 255 there.
    picture: Picture = cv2.convertScaleAbs(np.maximum(page, 0), alpha=255)
    return picture


def grey(picture: Picture) -> Picture:
    """Without colour; uint8, (height, width)."""
    drained: Picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return drained
