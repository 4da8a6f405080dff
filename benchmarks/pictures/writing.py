"""Digits on papers of all kinds, in inks of all kinds, by pens of all kinds; each with a digit of MNIST."""

from __future__ import annotations

import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.ink import SIDE, Picture, Place, Rng, Stroke, drawn, enlarged
from benchmarks.pictures.paper import (
    BLACK,
    BLUE,
    COLD,
    GRAPHITE,
    GREEN,
    RECYCLED,
    RED,
    WARM,
    WHITE,
    Colour,
    graphite,
    picture_of,
    sheet,
    texture_of,
    uneven,
    written,
)
from benchmarks.pictures.strokes import penned, place_of_lines, strokes_of


def cold_paper(digit: Picture, rng: Rng) -> Picture:
    """Black ink on smooth paper of a cold white."""
    return _on_paper(digit, rng, paper=COLD, rough=0.006)


def warm_paper(digit: Picture, rng: Rng) -> Picture:
    """Dark ink on yellowish paper with a texture that can be seen."""
    return _on_paper(digit, rng, paper=WARM, rough=0.03)


def recycled_paper(digit: Picture, rng: Rng) -> Picture:
    """Dark ink on grey recycled paper with fibres."""
    place = Place.somewhere(rng)
    page = sheet(place.shape, rng, colour=RECYCLED, rough=0.03)
    fibres = np.clip(texture_of(place.shape, rng, 2.0) - 2.3, 0, 1)
    page = written(page, fibres.astype(np.float32), (0.45, 0.48, 0.5), strength=0.5)
    return picture_of(written(page, uneven(enlarged(digit, place), rng), BLACK, strength=0.85))


def vignetted(digit: Picture, rng: Rng) -> Picture:
    """A photo whose corners are darker than its middle."""
    place = Place.somewhere(rng)
    page = written(sheet(place.shape, rng), enlarged(digit, place), BLACK, strength=0.85)
    return picture_of(camera.lit(page, camera.vignette(place.shape, rng.uniform(0.35, 0.7))))


def black_ink(digit: Picture, rng: Rng) -> Picture:
    """Black ink on white paper, some of it paler where the pen ran dry."""
    return _on_paper(digit, rng, depth=1.4)


def blue_ink(digit: Picture, rng: Rng) -> Picture:
    """Blue ballpoint or fountain pen on white paper."""
    return _on_paper(digit, rng, ink=BLUE, depth=1.6)


def red_ink(digit: Picture, rng: Rng) -> Picture:
    """Red ink on white paper."""
    return _on_paper(digit, rng, ink=RED, depth=1.4)


def green_ink(digit: Picture, rng: Rng) -> Picture:
    """Green felt pen on white paper."""
    return _on_paper(digit, rng, ink=GREEN, depth=1.4)


def pencil(digit: Picture, rng: Rng) -> Picture:
    """A soft pencil, whose graphite lets the grain of the paper through."""
    return _pencilled(digit, rng, rng.uniform(0.6, 0.85))


def pale_pencil(digit: Picture, rng: Rng) -> Picture:
    """A hard pencil, pale and grainy."""
    return _pencilled(digit, rng, rng.uniform(0.25, 0.42))


def hairline(digit: Picture, rng: Rng) -> Picture:
    """A ballpoint's hair line, a fiftieth to a thirtieth of the digit's height."""
    place = Place.somewhere(rng, side=(160, 400))
    ink = penned(digit, place, place.size * rng.uniform(0.02, 0.035), rng)
    return picture_of(written(sheet(place.shape, rng), uneven(ink, rng), BLUE if rng.random() < 0.5 else BLACK))


def marker(digit: Picture, rng: Rng) -> Picture:
    """A thick marker, a sixth to a fifth of the digit's height, its colour seldom black."""
    place = Place.somewhere(rng, share=(0.4, 0.65))
    ink = penned(digit, place, place.size * rng.uniform(0.15, 0.2), rng, pressure=0.05)
    ink = np.maximum(ink, enlarged(digit, place))
    colour = (BLACK, BLUE, RED, GREEN, (0.75, 0.25, 0.55))[rng.integers(5)]
    return picture_of(written(sheet(place.shape, rng), uneven(ink, rng, depth=0.5), colour))


def ballpoint_skips(digit: Picture, rng: Rng) -> Picture:
    """A ballpoint that skips: short pieces of its line are missing."""
    place = Place.somewhere(rng, side=(160, 400))
    whole = strokes_of(digit)
    width = place.size * rng.uniform(0.04, 0.07)
    pieces = [piece for stroke in whole for piece in _skipping(stroke, rng)]
    ink = drawn(pieces or whole, place_of_lines(digit, place), width, rng=rng, within=whole)
    return picture_of(written(sheet(place.shape, rng), uneven(ink, rng), BLUE))


def low_contrast(digit: Picture, rng: Rng) -> Picture:
    """Pale ink on grey paper: the two differ by an eighth to a fifth of white."""
    place = Place.somewhere(rng)
    level = float(rng.uniform(0.45, 0.85))
    ink = level - float(rng.uniform(0.13, 0.2))
    page = sheet(place.shape, rng, colour=(level, level, level), rough=0.01)
    return picture_of(written(page, enlarged(digit, place), (ink, ink, ink)))


def _on_paper(
    digit: Picture, rng: Rng, *, paper: Colour = WHITE, rough: float = 0.008, ink: Colour = BLACK, depth: float = 1.0
) -> Picture:
    place = Place.somewhere(rng)
    page = sheet(place.shape, rng, colour=paper, rough=rough)
    return picture_of(written(page, uneven(enlarged(digit, place), rng, depth=depth), ink, strength=0.92))


def _pencilled(digit: Picture, rng: Rng, strength: float) -> Picture:
    place = Place.somewhere(rng, side=(160, 360))
    width = place.size * rng.uniform(0.05, 0.09)
    ink = penned(digit, place, width, rng, pressure=0.3)
    return picture_of(written(sheet(place.shape, rng, rough=0.012), graphite(ink, rng, strength=strength), GRAPHITE))


def _skipping(stroke: Stroke, rng: Rng) -> list[Stroke]:
    """Leave out about a sixth of a stroke, a fifteenth of a digit's height at a time."""
    step = SIDE / 15 / 2
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    missing = rng.random(int(lengths[-1] / step) + 1) < 0.16
    written_ = ~missing[(lengths / step).astype(int)]
    edges = np.flatnonzero(np.diff(written_.astype(int))) + 1
    return [part for part, kept in zip(np.split(stroke, edges), np.split(written_, edges), strict=True) if kept[0]]


#: Every generator of this module.
GENERATORS = (
    cold_paper,
    warm_paper,
    recycled_paper,
    vignetted,
    black_ink,
    blue_ink,
    red_ink,
    green_ink,
    pencil,
    pale_pencil,
    hairline,
    marker,
    ballpoint_skips,
    low_contrast,
)
