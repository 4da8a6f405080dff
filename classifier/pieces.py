"""Pieces of ink, and which of them are no part of a digit: what is cut off, hung on a line, drawn around or below."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import Image

#: Least longer side of a digit, in pixels and as a share of the picture's longer side.
MIN_DIGIT = 5
MIN_SHARE = 0.03
#: Least height of a digit beside the tallest, as a share of that.
TALL = 0.5
#: What comes nearer to the border than the longer side by this is cut off by it.
AT_BORDER = 150
#: Least size of what stands free, as a share of what is cut off or hangs on a line and is dropped for it.
CUT, HUNG = 0.15, 0.9
#: Least height of a digit in a picture cut at the ink's edges, as a share of the tallest: digits of a row are alike.
TIGHT = 0.7
#: Farthest that a digit which the border cuts off lies from the middle, as a share of the picture's sides.
MAX_OFF = 0.3
#: Least size of what is framed, as a share of the frame's.
FRAMED = 0.35
#: Least width of an underline, by its height and by the width of what it underlines; and how far below it lies at
#: least, by the height of that.
LEVEL, UNDER, BELOW = 4, 1.0, 0.05

Contour = NDArray[np.int32]


@dataclass(slots=True)
class Piece:
    """Ink that hangs together, or several pieces that are one digit."""

    contours: list[Contour]
    #: First column and row, and those after the last.
    left: int
    top: int
    right: int
    bottom: int
    #: Whether the border cuts it off, and whether it hung on a printed line.
    cut: bool
    hangs: bool
    #: Length of its outlines, its holes' among them, in pixels; None where there is other ink on the sheet.
    around: float | None = None

    @property
    def width(self) -> int:
        """Width of its box, in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height of its box, in pixels."""
        return self.bottom - self.top

    @property
    def size(self) -> int:
        """Longer side of its box, in pixels."""
        return max(self.width, self.height)

    def take(self, other: Piece) -> None:
        """Make another piece part of this one."""
        self.contours += other.contours
        self.left, self.top = min(self.left, other.left), min(self.top, other.top)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        self.cut |= other.cut
        self.hangs |= other.hangs


def trust_tight(pieces: list[Piece], ink: Image) -> None:
    """Take tall pieces for whole where ink reaches all four sides: the picture was cut at the ink's own edges."""
    x, y, width, height = cv2.boundingRect(ink)
    edge = max(ink.shape) // AT_BORDER
    if max(x, y, ink.shape[1] - x - width, ink.shape[0] - y - height) > edge:
        return
    tall = TIGHT * max(piece.height for piece in pieces)
    for piece in pieces:
        piece.cut &= piece.height < tall


def without_strangers(pieces: list[Piece], width: int, height: int) -> list[Piece]:
    """Drop what the border cuts off and what hung on printed lines, where something of about its size stands free."""
    tallest = max((piece.size for piece in pieces if not (piece.cut or piece.hangs)), default=0)
    if tallest < max(MIN_SHARE * max(width, height), MIN_DIGIT):
        tallest = 0
    kept = [
        piece
        for piece in pieces
        if not (piece.cut and tallest >= CUT * piece.size) and not (piece.hangs and tallest >= HUNG * piece.size)
    ]
    return kept if any(not piece.cut for piece in kept) else _most_central(kept, width, height)


def without_frames(pieces: list[Piece]) -> list[Piece]:
    """Drop what is drawn around something else: within a digit there is nothing but dust."""
    return [
        piece
        for piece in pieces
        if not any(_encloses(piece, other) and other.size >= FRAMED * piece.size for other in pieces)
    ]


def without_underline(pieces: list[Piece]) -> list[Piece]:
    """Drop a level stroke that lies apart below everything else and is as wide: no digit has one."""
    for line in pieces:
        others = [piece for piece in pieces if piece is not line]
        if not others or line.width < LEVEL * line.height:
            continue
        left, right = min(piece.left for piece in others), max(piece.right for piece in others)
        top, bottom = min(piece.top for piece in others), max(piece.bottom for piece in others)
        if line.width >= UNDER * (right - left) and line.top - bottom >= BELOW * (bottom - top):
            return others
    return pieces


def without_rings(outer: list[Contour]) -> list[Contour]:
    """Drop what is drawn around something large: once gaps are bridged, the two might be one."""
    boxes = [cv2.boundingRect(contour) for contour in outer]
    largest = max(max(box[2:]) for box in boxes)
    large = [
        Piece([contour], x, y, x + width, y + height, cut=False, hangs=False)
        for contour, (x, y, width, height) in zip(outer, boxes, strict=True)
        if max(width, height) >= FRAMED * largest
    ]
    kept = without_frames(large)
    rings = [piece.contours[0] for piece in large if all(piece is not one for one in kept)]
    return [contour for contour in outer if all(contour is not ring for ring in rings)]


def _encloses(one: Piece, other: Piece) -> bool:
    """Tell whether a piece goes round another: its box alone may hold another stroke of the same digit."""
    if not (one.left < other.left and one.top < other.top and one.right > other.right and one.bottom > other.bottom):
        return False
    x, y = (int(place) for place in other.contours[0][0, 0])
    return any(cv2.pointPolygonTest(contour, (x, y), False) > 0 for contour in one.contours)


def _most_central(pieces: list[Piece], width: int, height: int) -> list[Piece]:
    """Of pieces that are all cut off, the large one that is nearest to the middle is the digit."""
    if not pieces:
        return pieces
    large = [piece for piece in pieces if piece.size >= TALL * pieces[0].size]

    def off_centre(piece: Piece) -> float:
        x, y = (piece.left + piece.right - width) / 2, (piece.top + piece.bottom - height) / 2
        return max(abs(x) / width, abs(y) / height)

    main = min(large, key=off_centre)
    return [main] if off_centre(main) <= MAX_OFF else []
