"""Bring any picture of one digit into the form of MNIST: 28x28, ink bright on black, centred by mass.

The same steps serve training and scoring. MNIST's own digits pass unchanged. Whoever alters a single prepared pixel
raises `classifier.artifact.PREPROCESSING_VERSION`.

A picture that is in MNIST's form once its ink is bright goes no further than `FIND`. In any other, `CLEAN` leaves
nothing on the paper but digits, `keep_digit` sees to it that there is one, and `FORM` makes of it what MNIST would
have. The steps of `CLEAN` first take a cheap look at whether they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.components import keep_digit
from classifier.form import (
    centre,
    centre_of_mass,
    clear_around,
    clear_paper,
    crop,
    even_stroke,
    fit,
    in_mnist_form,
    passes_unchanged,
    take_levels,
)
from classifier.light import drop_pepper, even_light, find_ink, smooth
from classifier.lines import erase_lines
from classifier.margin import add_margin
from classifier.paper import to_grey, turn, turn_bands
from classifier.scale import enlarge, merge_repeated, shrink
from classifier.sheet import INK_SIDE, SIDE, Image, Sheet, Step
from classifier.slip import cut_slip
from core.errors import ImageRejected

__all__ = [
    "CLEAN",
    "FIND",
    "FORM",
    "INK_SIDE",
    "NAMES",
    "SIDE",
    "Explanation",
    "Image",
    "Sheet",
    "centre_of_mass",
    "explain",
    "in_mnist_form",
    "prepare",
    "to_network_input",
]

#: What happens to every picture, in order.
FIND: tuple[Step, ...] = (merge_repeated, shrink, enlarge, to_grey, turn, cut_slip, turn_bands)
#: What happens after it to a picture that is not in MNIST's form, in order: the paper is cleaned,
CLEAN: tuple[Step, ...] = (add_margin, even_light, drop_pepper, smooth, find_ink, erase_lines)
#: and a digit that stands alone on it brought into form.
FORM: tuple[Step, ...] = (take_levels, crop, clear_around, even_stroke, fit, clear_paper, centre)

#: What a person calls the steps.
NAMES: dict[Step, str] = {
    merge_repeated: "repeated pixels made one",
    shrink: "shrunk to a size that is quick to work on",
    enlarge: "enlarged",
    to_grey: "grey, mixed so that the ink stands out most",
    turn: "ink bright on dark",
    cut_slip: "slip of paper cut out of what it lies on",
    turn_bands: "bands of the other paper turned",
    add_margin: "paper added around it",
    even_light: "shadow and lamp light taken out",
    drop_pepper: "salt and pepper taken off",
    smooth: "noise smoothed",
    find_ink: "ink found anew",
    erase_lines: "printed lines erased",
    keep_digit: "dust and neighbours wiped off",
    take_levels: "levels of paper and ink taken",
    crop: "box of the ink",
    clear_around: "paper around the ink cleared",
    even_stroke: "strokes made as wide as MNIST's",
    fit: "scaled into 20x20",
    clear_paper: "paper black, ink white",
    centre: "centred by mass in 28x28",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What preparing made of a picture, step by step."""

    #: What a person calls each step that had an effect, and the picture after it; the original comes first.
    steps: tuple[tuple[str, Image], ...]
    #: uint8, (28, 28); None where the picture was rejected.
    prepared: Image | None
    #: Why the picture was rejected; None where it was prepared.
    rejection: ImageRejected | None


def prepare(image: Image) -> Image:
    """Bring a picture of one digit into the form of MNIST (LeCun et al. 1998, section III-A).

    Args:
        image: uint8, (height, width) grey or (height, width, 3) BGR; dark ink on light paper or the reverse.

    Returns:
        uint8, (28, 28), ink bright on 0.

    Raises:
        ImageRejected: `blank`, there is no ink to be seen; `low_contrast`, there is some, but too faint to be
            trusted; `several`, two or more digits stand side by side.
    """
    sheet = Sheet(image)
    for step in _steps(sheet):
        step(sheet)
    return sheet.pixels


def explain(image: Image) -> Explanation:
    """Prepare a picture and keep what every step that had an effect made of it.

    Args:
        image: as for `prepare`.
    """
    sheet = Sheet(image)
    steps = [("original", image)]
    try:
        for step in _steps(sheet):
            before, ink = sheet.pixels.copy(), None if sheet.ink is None else sheet.ink.copy()
            step(sheet)
            if not np.array_equal(before, sheet.pixels):
                steps.append((NAMES[step], sheet.pixels.copy()))
            elif sheet.ink is not None and ink is not None and not np.array_equal(ink, sheet.ink):
                steps.append((NAMES[step], sheet.ink.copy()))
    except ImageRejected as rejection:
        return Explanation(tuple(steps), None, rejection)
    return Explanation(tuple(steps), sheet.pixels, None)


def to_network_input(images: Image) -> NDArray[np.float32]:
    """Scale prepared images to what networks take.

    Args:
        images: uint8, (n, 28, 28).

    Returns:
        float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).
    """
    return np.multiply(images, np.float32(1 / 255), dtype=np.float32)[..., np.newaxis]


def _steps(sheet: Sheet) -> Iterator[Step]:
    """Give the steps for a sheet one after the other; each is to be done before the next is asked for."""
    if passes_unchanged(sheet.pixels):
        return
    yield from FIND
    if not in_mnist_form(sheet.pixels):
        yield from (*CLEAN, keep_digit, *FORM)
