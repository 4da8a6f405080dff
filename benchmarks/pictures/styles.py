"""Digits in forms that MNIST has seldom or never, drawn from skeletons of our own in many hands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.pictures.ink import Picture, Place, Rng, drawn
from benchmarks.pictures.paper import BLACK, BLUE, picture_of, sheet, uneven, written
from benchmarks.pictures.skeletons import DIGITS, skeleton
from benchmarks.pictures.strokes import bent

#: Draws a picture by chance; returns what it shows and the picture.
Style = Callable[[Rng], tuple[str, Picture]]


def european_one(rng: Rng) -> tuple[str, Picture]:
    """A one with a long upstroke, as it is written on the Continent."""
    return _in_some_hand("european_one", rng)


def european_seven(rng: Rng) -> tuple[str, Picture]:
    """A seven with a bar across."""
    return _in_some_hand("european_seven", rng)


def open_four(rng: Rng) -> tuple[str, Picture]:
    """A four that is open at the top."""
    return _in_some_hand("open_four", rng)


def closed_four(rng: Rng) -> tuple[str, Picture]:
    """A four that is closed at the top, as in print."""
    return _in_some_hand("closed_four", rng)


def looped_two(rng: Rng) -> tuple[str, Picture]:
    """A two with a loop at its foot."""
    return _in_some_hand("looped_two", rng)


def straight_nine(rng: Rng) -> tuple[str, Picture]:
    """A nine with a straight leg."""
    return _in_some_hand("straight_nine", rng)


def slashed_zero(rng: Rng) -> tuple[str, Picture]:
    """A zero with a stroke through it."""
    return _in_some_hand("slashed_zero", rng)


def other_forms(rng: Rng) -> tuple[str, Picture]:
    """Other forms: a three with a flat top, a five in two strokes, an eight of two circles, and so on."""
    own = {style.__name__ for style in GENERATORS}
    others = [form for form in DIGITS if form not in own]
    return _in_some_hand(others[rng.integers(len(others))], rng)


def _in_some_hand(form: str, rng: Rng) -> tuple[str, Picture]:
    value, way = DIGITS[form]
    place = Place.somewhere(rng)
    width = place.size * float(np.exp(rng.uniform(np.log(0.04), np.log(0.13))))
    ink = uneven(drawn(bent(skeleton(way), rng), place, width, rng=rng), rng)
    colour = (BLACK, BLUE)[rng.integers(2)]
    return str(value), picture_of(written(sheet(place.shape, rng), ink, colour, strength=0.92))


#: Every generator of this module.
GENERATORS: tuple[Style, ...] = (
    european_one,
    european_seven,
    open_four,
    closed_four,
    looped_two,
    straight_nine,
    slashed_zero,
    other_forms,
)
