"""Draw digits by strokes, most in ways that MNIST, which was written in the United States, has hardly or not.

A one with an upstroke, a seven with a bar and a nought with a slash are everyday forms elsewhere, and a network that knows
MNIST alone takes the first of them for a seven.
"""

from __future__ import annotations

import numpy as np

from classifier.preprocess import SIDE, prepare
from core.vocabulary import DIGITS
from training.dataset import Digits
from training.strokes import draw, write

_RING = "~.5,0 .1,.2 .02,.55 .15,.9 .5,1 .85,.88 .98,.5 .88,.15 .5,0"

#: Forms of every digit, in the short form of `training.strokes`; each is drawn as often as the others of its digit.
FORMS: dict[int, tuple[str, ...]] = {
    0: (
        _RING,
        f"{_RING}|.9,.1 .1,.9",
        f"{_RING}|1.05,-.05 -.05,1.05",
        "~.6,.05 .15,.2 .05,.6 .3,.98 .8,.85 .9,.35 .5,.02 .3,.1",
    ),
    1: (
        "0,.5 .55,0 .55,1",
        ".1,.35 .5,0 .5,1",
        "0,.6 .6,0 .55,1|.2,1 .9,1",
        ".25,.2 .5,0 .5,1",
        ".2,.25 .5,0 .5,1|.15,1 .85,1",
        "~0,.55 .35,.3 .6,0|.6,0 .55,1",
    ),
    2: (
        "~.05,.25 .4,0 .8,.2 .65,.55 .2,.9 .05,.95 .1,.8 .3,.85 .6,1 1,.92",
        "~.05,.2 .45,0 .85,.22 .6,.6 .0,1|0,1 .95,1",
        "~0,.3 .3,.02 .8,.1 .75,.45 .1,.98 .02,.85 .2,.78 .5,.95 .95,.95",
    ),
    3: (
        "0,0 .9,0 .4,.4|~.4,.4 .9,.55 .9,.85 .45,1 0,.88",
        "~.05,.15 .45,0 .85,.2 .4,.45 .9,.65 .8,.95 .4,1 .02,.85",
    ),
    4: (
        ".25,0 0,.6 .95,.6|.7,.25 .7,1",
        ".1,0 .1,.5 .9,.5|.85,0 .85,1",
        ".7,1 .7,0 0,.65 1,.65",
        ".6,0 0,.55 .95,.55|.65,.35 .55,1",
    ),
    5: ("1,0 .15,0 .1,.42|~.1,.42 .6,.35 .95,.65 .7,.97 .05,.9", "~.9,0 .2,.02 .15,.4 .65,.4 .9,.7 .6,1 .05,.92"),
    6: (
        "~.75,0 .3,.25 .05,.65 .2,.97 .65,1 .9,.75 .65,.5 .25,.6 .08,.75",
        "~.5,0 .1,.5 .1,.85 .5,1 .85,.85 .75,.55 .4,.5 .1,.7",
    ),
    7: (
        "0,0 .95,0 .4,1|.25,.5 .85,.5",
        "0,.12 .02,0 1,0 .45,1|.2,.48 .9,.45",
        "~0,.1 .15,.02 .6,.06 1,0|1,0 .65,.45 .45,1|.3,.5 .95,.5",
        "0,0 1,0 .4,1",
        "0,.15 0,0 .95,0 .5,.5 .4,1",
    ),
    8: (
        "~.5,.45 .15,.3 .25,.05 .5,0 .75,.08 .8,.3 .5,.45|~.5,.45 .1,.65 .1,.9 .5,1 .9,.9 .9,.65 .5,.45",
        "~.85,.15 .5,0 .15,.2 .5,.48 .88,.75 .5,1 .12,.78 .5,.48 .8,.25 .85,.15",
    ),
    9: (
        "~.9,.2 .5,0 .1,.2 .2,.48 .6,.5 .9,.2|.9,.1 .9,1",
        "~.88,.2 .5,0 .12,.22 .3,.5 .85,.3|~.88,.15 .9,.6 .75,.95 .3,1 .1,.88",
        "~.85,.15 .4,0 .1,.25 .35,.5 .85,.2|.85,.15 .6,1",
    ),
}


def drawn_digits(count: int, *, seed: int) -> Digits:
    """Draw digits, prepared as scoring would; every digit about as often as the others.

    Args:
        count: how many.
        seed: the same seed draws the same ones.
    """
    images, labels = np.empty((count, SIDE, SIDE), np.uint8), np.arange(count, dtype=np.int64) % DIGITS
    for place, label in enumerate(labels.tolist()):
        rng = np.random.default_rng([seed, place])
        forms = FORMS[label]
        images[place] = prepare(draw(write(forms[rng.integers(len(forms))], rng), rng))
    return Digits(images, labels)
