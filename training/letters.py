"""The strokes of handwritten letters that have no twin among the digits; every stroke goes through points of a unit box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Letters that cannot be told from a digit, not even by people.
TWINS = frozenset("OolISsZzBgqb")

Stroke = NDArray[np.float64]

# Points are x,y from the top left; `|` lifts the pen; a stroke after `~` is bent smoothly, any other has corners.
_STROKES = {
    "A": "0,1 .5,0 1,1|.2,.6 .8,.6",
    "C": "~.95,.2 .6,0 .15,.25 .1,.7 .5,1 .95,.8",
    "D": "0,0 0,1|~0,0 .7,.05 1,.5 .7,.95 0,1",
    "E": "1,0 0,0 0,1 1,1|0,.5 .8,.5",
    "F": "1,0 0,0 0,1|0,.5 .8,.5",
    "G": "~.95,.2 .5,0 .05,.3 .1,.8 .55,1 .95,.8 .95,.55|.55,.55 1,.55",
    "H": "0,0 0,1|1,0 1,1|0,.5 1,.5",
    "J": "~.8,0 .8,.6 .6,.95 .2,.95 0,.7|.4,0 1,0",
    "K": "0,0 0,1|1,0 0,.55|.3,.4 1,1",
    "L": "0,0 0,1 .9,1",
    "M": "0,1 .1,0 .5,.7 .9,0 1,1",
    "N": "0,1 0,0 1,1 1,0",
    "P": "0,0 0,1|~0,.02 .7,.02 .95,.25 .7,.5 0,.52",
    "Q": "~.5,0 .05,.3 .1,.8 .5,1 .9,.8 .95,.3 .5,0|.55,.65 1.05,1.1",
    "R": "0,0 0,1|~0,.02 .7,.02 .95,.25 .7,.5 0,.52|.4,.52 1,1",
    "T": "0,0 1,0|.5,0 .5,1",
    "U": "~0,0 0,.6 .2,.95 .5,1 .8,.95 1,.6 1,0",
    "V": "0,0 .5,1 1,0",
    "W": "0,0 .25,1 .5,.3 .75,1 1,0",
    "X": "0,0 1,1|1,0 0,1",
    "Y": "0,0 .5,.5 1,0|.5,.5 .5,1",
    "a": "~.9,.2 .5,0 .1,.25 .1,.75 .45,1 .85,.7 .9,.1|~.9,.1 .9,.7 1.1,1",
    "c": "~.9,.2 .5,0 .1,.3 .1,.75 .5,1 .95,.85",
    "d": "~.85,.55 .5,.4 .1,.6 .1,.85 .45,1 .85,.75|.85,0 .85,1",
    "e": "~.05,.5 .9,.45 .8,.1 .45,0 .1,.3 .1,.75 .5,1 .95,.8",
    "f": "~.9,.1 .65,0 .45,.2 .45,1|.1,.4 .85,.4",
    "h": "0,0 0,1|~0,.65 .3,.45 .7,.45 .8,.65 .8,1",
    "j": "~.6,.3 .6,.8 .4,1 .05,.9|.6,.05 .62,.08",
    "k": "0,0 0,1|.7,.4 0,.72|.2,.65 .8,1",
    "m": "0,0 0,1|~0,.3 .2,.02 .42,.1 .45,.4 .45,1|~.45,.3 .7,.02 .92,.1 .95,.4 .95,1",
    "n": "0,0 0,1|~0,.35 .35,.02 .75,.1 .85,.4 .85,1",
    "p": "0,0 0,1|~0,.15 .5,-.02 .85,.2 .7,.5 .3,.58 0,.45",
    "r": "0,0 0,1|~0,.4 .35,.08 .8,.1",
    "t": "~.45,0 .45,.8 .6,1 .9,.9|.1,.3 .85,.3",
    "u": "~0,0 0,.6 .2,1 .6,.9 .85,.5|~.85,0 .85,.8 1,1",
    "v": "0,0 .45,1 .9,0",
    "w": "~0,0 .1,.9 .3,.95 .5,.3 .65,.95 .85,.9 1,0",
    "x": "0,0 .9,1|.9,0 0,1",
    "y": "0,0 .45,.55|.95,0 .2,1",
    "ß": "~0,1 0,.3 .3,0 .7,.2 .45,.45 .85,.65 .6,.95 .3,.9",
    "+": "0,.5 1,.5|.5,0 .5,1",
    "#": ".3,0 .2,1|.8,0 .7,1|0,.3 1,.3|0,.7 1,.7",
    "?": "~.05,.25 .4,0 .85,.2 .5,.5 .45,.75|.44,.95 .47,1",
    "=": "0,.3 1,.3|0,.7 1,.7",
    "*": "0,.2 1,.8|1,.2 0,.8|.5,0 .5,1",
    "&": "~1,1 .2,.3 .4,0 .65,.2 .1,.65 .2,1 .6,.95 .95,.5",
    "%": "1,0 0,1|~.2,.05 .05,.2 .2,.35 .35,.2 .2,.05|~.8,.65 .65,.8 .8,.95 .95,.8 .8,.65",
}

#: What can be drawn.
LETTERS = tuple(_STROKES)


def strokes_of(letter: str) -> list[tuple[Stroke, bool]]:
    """Find the strokes of a letter: points float64, (n, 2), x and y about 0 to 1, and whether they are bent smoothly."""
    found = []
    for text in _STROKES[letter].split("|"):
        smooth = text.startswith("~")
        points = [tuple(map(float, point.split(","))) for point in text.removeprefix("~").split()]
        found.append((np.array(points), smooth))
    return found


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
