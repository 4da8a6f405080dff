"""Draw digits by strokes, most in ways that MNIST, which was written in the United States, has hardly or not.

A one with an upstroke, a seven with a bar and a nought with a slash are everyday forms elsewhere, and a network that knows
MNIST alone takes the first of them for a seven.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from classifier.preprocess import SIDE, Image
from core.vocabulary import DIGITS
from training.dataset import Digits
from training.strokes import draw, prepared, write

_RING = "~.5,0 .1,.2 .02,.55 .15,.9 .5,1 .85,.88 .98,.5 .88,.15 .5,0"
#: A one's stem under its upstroke: long and short ones, steep and flat ones, but none as flat as a seven's.
_STEM = ".6:.75,0 .5:.8,1"

#: Forms of every digit, in the short form of `training.strokes`; each is drawn as often as the others of its digit.
FORMS: dict[int, tuple[str, ...]] = {
    0: (
        _RING,
        f"{_RING}|.8:1.1,-.1:.2 -.1:.2,.8:1.1",
        "~.6,.05 .15,.2 .05,.6 .3,.98 .8,.85 .9,.35 .5,.02 .3,.1",
    ),
    1: (
        f"-.1:.2,.4:.85 {_STEM}",
        f".05:.45,.3:.6 {_STEM}",
        f".25:.5,.15:.35 {_STEM}",
        f"-.05:.35,.35:.7 {_STEM}|.15:.35,1 .95:1.15,1",
        ".15:.3,.2:.35 .5,0 .5,1|.1:.2,1 .8:.9,1",
        "~-.1:.1,.45:.65 .35,.3 .6,0|.6,0 .4:.65,1",
    ),
    2: (
        "~.05,.25 .4,0 .8,.2 .65,.55 .2,.9 .05,.95 .1,.8 .3,.85 .6,1 1,.92",
        "~.05,.15:.3 .45,0 .85,.22 .5:.7,.6 .0,1|0,1 .8:1.1,.95:1.05",
        "~0,.3 .3,.02 .8,.1 .75,.45 .1,.98 .02,.85 .2,.78 .5,.95 .95,.95",
    ),
    3: (
        "0,0 .8:.95,0 .3:.5,.4|~.4,.4 .9,.55 .9,.85 .45,1 0,.8:.95",
        "~.05,.15 .45,0 .85,.2 .3:.5,.45 .9,.65 .8,.95 .4,1 .02,.85",
    ),
    4: (
        ".15:.35,0 0:.05,.5:.7 .9:1.05,.5:.7|.6:.75,.1:.5 .6:.75,1",
        ".05:.2,0 .05:.15,.45:.6 .85:1,.45:.6|.8:.9,0:.2 .75:.9,1",
        ".7,1 .65:.8,0 0,.6:.7 1,.6:.7",
        ".55:.75,0 0,.5:.65 .9:1.05,.5:.65|.6:.7,.3:.5 .5:.65,1",
        ".4:.75,0 0:.1,.6:.8 .85:1.05,.55:.75|.6:.85,.3:.5 .45:.7,1",
    ),
    5: ("1,0 .15,0 .1,.42|~.1,.42 .6,.35 .95,.65 .7,.97 .05,.9", "~.9,0 .2,.02 .15,.4 .65,.4 .9,.7 .6,1 .05,.92"),
    6: (
        "~.75,0 .3,.25 .05,.65 .2,.97 .65,1 .9,.75 .65,.5 .25,.6 .08,.75",
        "~.5,0 .1,.5 .1,.85 .5,1 .85,.85 .75,.55 .4,.5 .1,.7",
    ),
    7: (
        "0:.1,0:.1 .9:1,0 .25:.6,1|.15:.35,.4:.6 .75:.95,.4:.55",
        "0,.1:.25 .02,0 1,0 .3:.65,1|.1:.3,.4:.55 .75:.95,.4:.5",
        "~0,.1 .15,.02 .6,.06 1,0|1,0 .65,.45 .45,1|.2:.35,.4:.55 .85:1,.4:.55",
        "0,0:.1 .9:1,0 .25:.7,1",
        "0,.1:.25 0,0 .95,0 .5:.7,.5 .3:.55,1",
    ),
    8: (
        "~.5,.45 .15,.3 .25,.05 .5,0 .75,.08 .8,.3 .5,.45|~.5,.45 .1,.65 .1,.9 .5,1 .9,.9 .9,.65 .5,.45",
        "~.85,.15 .5,0 .15,.2 .5,.48 .88,.75 .5,1 .12,.78 .5,.48 .8,.25 .85,.15",
    ),
    9: (
        "~.9,.2 .5,0 .1,.2 .2,.48 .6,.5 .9,.2|.85:.95,0:.15 .75:.95,1",
        "~.88,.2 .5,0 .12,.22 .3,.5 .85,.3|~.88,.15 .9,.6 .75,.95 .2:.5,1 .05:.15,.88",
        "~.85,.15 .4,0 .1,.25 .35,.5 .85,.2|.85,.15 .4:.7,1",
        "~.85,.1:.3 .5,0 .15,.2 .2:.5,.45:.55 .8,.3 .8:1,.6:.8 .6:.8,1 -.1:.3,.9:1.05",
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
        images[place] = prepared(partial(_written, label), np.random.default_rng([seed, place]))
    return Digits(images, labels)


def _written(label: int, rng: np.random.Generator) -> Image:
    forms = FORMS[label]
    return draw(write(forms[rng.integers(len(forms))], rng), rng)
