"""Draw what is no digit, letters, signs and scribbles, for networks to learn the difference from.

A network that saw nothing but digits takes whatever it is shown for one. One that learns of other pictures that every
digit is as likely as the next stays unsure of those that it never saw, too (Hendrycks et al. 2019, section 3).
"""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np

from classifier.preprocess import SIDE, Image
from training.dataset import NO_DIGIT, Digits
from training.letters import LETTERS, TWINS
from training.strokes import PAGE, bend, draw, prepared, write

_LETTERS = tuple(LETTERS.values())
#: Without the letter that is a one as soon as its dot is taken for dust.
_PRINTED = tuple(sorted(set(string.ascii_letters) - TWINS - {"i"}))
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
#: Size that fills about half of the page.
_SCALE = 2.2


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
        images[place] = prepared(_any_kind, np.random.default_rng([seed, place]))
    return Digits(images, np.full(count, NO_DIGIT, np.int64))


def letter(rng: np.random.Generator) -> Image:
    """Write a letter or a sign by hand."""
    return draw(write(_LETTERS[rng.integers(len(_LETTERS))], rng), rng)


def print_letter(rng: np.random.Generator) -> Image:
    """Print a letter in the font that OpenCV brings, light or bold, upright or slanted, and turn it a little."""
    page = np.zeros((PAGE, PAGE), np.uint8)
    text, font = _PRINTED[rng.integers(len(_PRINTED))], _FONTS[rng.integers(len(_FONTS))]
    (width, height), _ = cv2.getTextSize(text, font, _SCALE, 2)
    cv2.putText(page, text, ((PAGE - width) // 2, (PAGE + height) // 2), font, _SCALE, 255, 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((PAGE / 2, PAGE / 2), float(rng.uniform(-12, 12)), 1)
    turned: Image = cv2.warpAffine(page, turn, (PAGE, PAGE))
    return turned


def sign(rng: np.random.Generator) -> Image:
    """Make a sign of three to six strokes that nobody has a name for."""
    return draw([bend(rng.random((rng.integers(2, 5), 2))) for _ in range(rng.integers(3, 7))], rng)


def scribble(rng: np.random.Generator) -> Image:
    """Scribble without lifting the pen: a walk that keeps its direction for a while; a short one might be a digit."""
    turns = np.cumsum(rng.normal(0, rng.uniform(0.5, 1.6), rng.integers(25, 60)))
    walk = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], -1), axis=0)
    return draw([bend(walk, steps=4)], rng)


def hatching(rng: np.random.Generator) -> Image:
    """Cover a patch by a zigzag, as people do to strike something out."""
    count = int(rng.integers(6, 16))
    across = np.linspace(0, 1, count) + rng.normal(0, 0.02, count)
    along = np.where(np.arange(count) % 2, 0.0, rng.uniform(0.5, 1.2)) + rng.normal(0, 0.08, count)
    return draw([np.stack([across, along], -1)], rng)


def loops(rng: np.random.Generator) -> Image:
    """Draw rows of loops or a spiral; a ring in one place would be a nought."""
    angle = np.linspace(0, rng.uniform(3, 7) * 2 * np.pi, 120)
    spiral = rng.random() < 0.3
    radius = np.linspace(0.05 if spiral else rng.uniform(0.5, 1), 1, 120)
    drift = np.linspace(0, 0 if spiral else rng.uniform(2, 5), 120)
    return draw([np.stack([radius * np.cos(angle) + drift, radius * rng.uniform(0.5, 1.5) * np.sin(angle)], -1)], rng)


#: What is drawn, and how often.
KINDS: dict[Callable[[np.random.Generator], Image], float] = {
    letter: 0.45,
    print_letter: 0.15,
    sign: 0.15,
    scribble: 0.12,
    hatching: 0.07,
    loops: 0.06,
}


def _any_kind(rng: np.random.Generator) -> Image:
    kinds = list(KINDS)
    return kinds[rng.choice(len(kinds), p=list(KINDS.values()))](rng)
