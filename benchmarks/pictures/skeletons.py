"""The way of the pen in letters, and in digits that MNIST has seldom or never; drawn for this bench.

A skeleton is written as strokes parted by `|`, each of points `x,y` on a grid of ten by ten, y downwards; a smooth curve
goes through the points of a stroke, and a corner is where one stroke ends and another begins.
"""

from __future__ import annotations

import numpy as np

from benchmarks.pictures.ink import Stroke

#: Letters that no digit resembles in print, capital and small: O o, l I, S s, Z z, B, g, q and b are left out.
LETTERS: dict[str, str] = {
    "A": "0,10 5,0|5,0 10,10|2,6 8,6",
    "C": "9,2 6,0 2,2 0,5 2,8 6,10 9,8",
    "D": "1,0 1,10|1,0 6,1 9,5 6,9 1,10",
    "E": "8,0 1,0|1,0 1,10|1,5 6,5|1,10 8,10",
    "F": "8,0 1,0|1,0 1,10|1,5 6,5",
    "G": "9,2 6,0 2,1 0,5 2,9 6,10 9,8 9,5|5,5 10,5",
    "H": "1,0 1,10|9,0 9,10|1,5 9,5",
    "J": "3,0 10,0|7,0 7,7 5,10 1,9 1,7",
    "K": "1,0 1,10|8,0 1,6|3,5 9,10",
    "L": "1,0 1,10|1,10 8,10",
    "M": "0,10 1,0|1,0 5,7|5,7 9,0|9,0 10,10",
    "N": "1,10 1,0|1,0 9,10|9,10 9,0",
    "P": "1,0 1,10|1,0 6,0 9,3 6,5 1,5",
    "Q": "6,0.1 4,0.1 1,2 0,5 1,8 5,10 9,8 10,5 9,2 6,0.1 4.5,0|6,7 10,11",
    "R": "1,0 1,10|1,0 6,0 9,2.5 6,5 1,5|4,5 9,10",
    "T": "0,0 10,0|5,0 5,10",
    "U": "1,0 1,7 3,10 7,10 9,7 9,0",
    "V": "0,0 5,10|5,10 10,0",
    "W": "0,0 2,10|2,10 5,3|5,3 8,10|8,10 10,0",
    "X": "0,0 10,10|10,0 0,10",
    "Y": "0,0 5,5|10,0 5,5|5,5 5,10",
    "a": "8,3 5,2 2,4 2,8 5,10 8,7|8,2 8,8 10,10",
    "c": "8,3 5,2 2,4 2,8 5,10 8,9",
    "d": "8,5 5,4 2,6 2,9 5,10 8,8|8,0 8,8 10,10",
    "e": "2,6 8,6|8,6 8,4 5,2 2,4 2,8 5,10 9,8",
    "f": "8,1 6,0 4,2 4,10|1,4 7,4",
    "h": "2,0 2,10|2,6 5,3 8,5 8,10",
    "i": "5,4 5,9 6,10|5,1 5.2,1.3",
    "j": "6,3 6,11 4,13 1,12|6,0 6.2,0.3",
    "k": "2,0 2,10|8,4 2,7|4,6 9,10",
    "m": "0,4 0,10|0,6 2,4 4,5 4,10|4,6 6,4 8,5 8,10",
    "n": "2,3 2,10|2,6 5,3 8,5 8,10",
    "p": "2,3 2,14|2,5 5,3 8,5 8,8 5,10 2,9",
    "r": "2,3 2,10|2,6 4,4 8,4",
    "t": "4,0 4,8 6,10 8,9|1,3 8,3",
    "u": "2,3 2,8 4,10 7,9 8,7|8,3 8,10",
    "v": "1,3 5,10|5,10 9,3",
    "w": "0,3 2,10|2,10 5,5|5,5 8,10|8,10 10,3",
    "x": "1,3 9,10|9,3 1,10",
    "y": "1,3 5,9|9,3 5,9 2,14",
}

#: Digits by a name of their form: what they are, and their skeleton.
DIGITS: dict[str, tuple[int, str]] = {
    "european_one": (1, "1.5,5 4.8,2.6 7,0|7,0 7,10"),
    "european_seven": (7, "0,0.5 9,0|9,0 4,10|2.5,5 8,4.6"),
    "open_four": (4, "2,0 1,6|1,6 9,6|7,1.5 7,10"),
    "closed_four": (4, "6.5,0 0,7|0,7 9.5,7|6.5,0 6.5,10"),
    "looped_two": (2, "1,2 4,0 8,2 7,5 3,9 1,9.5 2,8 4,8.5 6,10 9,9.3"),
    "straight_nine": (9, "8,2 5,0 1,2 2,5 5,5.5 8,2.5|8,0.8 8,10"),
    "slashed_zero": (0, "6,0.2 4,0.2 2,2 1,5 2,8 5,10 8,8 9,5 8,2 6,0.2 4.5,0|8.5,0.5 1.5,9.5"),
    "one_with_a_foot": (1, "2,3 6,0|6,0 6,10|2,10 9,10"),
    "flat_topped_three": (3, "1,0 8,0|8,0 4,4|4,4 8,6 7,9 4,10 1,9"),
    "five_in_two_strokes": (5, "2,0 2,4.5|2,4.5 6,4 8,7 6,10 1,9|2.4,0.2 8.5,0"),
    "curled_six": (6, "7,0 3,3 1,7 3,10 7,9 8,7 6,5 2,6.5"),
    "eight_of_two_circles": (8, "6,0.2 4,0.3 2,2.3 5,4.8 8,2.3 6,0.2 4.5,0|6,5 4,5 1,7.5 5,10 9,7.5 6,5 4.5,4.8"),
    "eight_in_one_stroke": (8, "8,1.5 5,0 2,2 5,5 8,8 5,10 2,8 5,5 8,1.5"),
    "curled_nine": (9, "8,3 5,0 1,2 2,5 6,5 8,3 8,7 5,10 2,9"),
    "hooked_seven": (7, "0,2 0,0.5|0,0.5 9,0.5|9,0.5 4,10"),
    "open_zero": (0, "6,0.5 2,2 1,6 3,10 7,9.5 9,5 8,1.5 4.5,0.8"),
}


def skeleton(written: str) -> list[Stroke]:
    """Read a skeleton.

    Args:
        written: strokes, as this module's text says.

    Returns:
        Strokes in a box of about 1 x 1.
    """
    return [
        np.array([[float(number) / 10 for number in point.split(",")] for point in stroke.split()])
        for stroke in written.split("|")
    ]
