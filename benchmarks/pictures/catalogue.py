"""Every generator by its name, and the pictures it makes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from benchmarks.pictures import forms, negatives, photos, rows, scans, styles, surroundings, writing
from benchmarks.pictures.ink import Picture, Rng
from training.dataset import Digits

#: Seed of all chance; raised only together with new published figures.
SEED = 3
#: Fewest and most digits in a row.
_FEWEST, _MOST = 2, 5


class Kind(StrEnum):
    """What is asked of a picture."""

    #: A digit of MNIST, spoilt: the right label.
    STRESS = "stress"
    #: A digit in a form that MNIST has not: the right label.
    STYLE = "style"
    #: No digit: no label, or one that is marked as uncertain.
    NEGATIVE = "negative"
    #: Several digits: all of them, in order.
    SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class Example:
    """A picture and what it shows."""

    #: uint8, (height, width), (height, width, 3) BGR, or a whole file.
    image: Picture | bytes
    #: The digits it shows; empty where it shows none.
    truth: str


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes pictures of one sort."""

    name: str
    kind: Kind
    #: What its pictures are like, in one sentence.
    sentence: str
    #: From digits to draw on, the place of one of them, and chance.
    draw: Callable[[Digits, int, Rng], Example]
    #: One picture of so many that are asked for is made, where pictures are large.
    one_in: int = 1

    def example(self, digits: Digits, index: int) -> Example:
        """Make the picture of an index; the same, whichever others are made.

        Args:
            digits: MNIST's training digits or its test digits, whole.
            index: 0 or more.
        """
        rng = np.random.default_rng([SEED, zlib.crc32(self.name.encode()), index])
        return self.draw(digits, place_of(digits, index), rng)


def place_of(digits: Digits, index: int) -> int:
    """The place of the digit that pictures of an index show; indices go through the digits in a fixed shuffled order.

    MNIST's test digits are not shuffled: the first half is easier than the second.
    """
    step = 7919  # a prime that divides neither 10,000 nor 60,000, so that every digit has its turn
    return index * step % len(digits)


def _stress(draw: Callable[[Picture, Rng], Picture | bytes]) -> Callable[[Digits, int, Rng], Example]:
    def example(digits: Digits, place: int, rng: Rng) -> Example:
        return Example(draw(digits.images[place], rng), str(digits.labels[place]))

    return example


def _style(draw: styles.Style) -> Callable[[Digits, int, Rng], Example]:
    def example(_digits: Digits, _place: int, rng: Rng) -> Example:
        truth, picture = draw(rng)
        return Example(picture, truth)

    return example


def _negative(draw: Callable[[Rng], Picture]) -> Callable[[Digits, int, Rng], Example]:
    def example(_digits: Digits, _place: int, rng: Rng) -> Example:
        return Example(draw(rng), "")

    return example


def _several(draw: Callable[[list[Picture], Rng], Picture]) -> Callable[[Digits, int, Rng], Example]:
    def example(digits: Digits, place: int, rng: Rng) -> Example:
        others = rng.integers(0, len(digits), int(rng.integers(_FEWEST, _MOST + 1)) - 1)
        places = [place, *others.tolist()]
        truth = "".join(str(digits.labels[one]) for one in places)
        return Example(draw([digits.images[one] for one in places], rng), truth)

    return example


def _generator(function: Callable[..., object], kind: Kind, draw: Callable[[Digits, int, Rng], Example]) -> Generator:
    sentence = (function.__doc__ or "").partition("\n")[0]
    return Generator(function.__name__, kind, sentence, draw, one_in=_LARGE.get(function.__name__, 1))


#: Generators whose pictures are large.
_LARGE = {"large": 5, "phone_photo_12mp": 50}

#: Every generator by its name.
GENERATORS: dict[str, Generator] = {
    one.name: one
    for one in (
        *(
            _generator(function, Kind.STRESS, _stress(function))
            for module in (writing, forms, photos, scans, surroundings)
            for function in module.GENERATORS
        ),
        *(_generator(function, Kind.STYLE, _style(function)) for function in styles.GENERATORS),
        *(_generator(function, Kind.NEGATIVE, _negative(function)) for function in negatives.GENERATORS),
        *(_generator(function, Kind.SEVERAL, _several(function)) for function in rows.GENERATORS),
    )
}
