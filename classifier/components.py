"""Which strokes on the paper are digits: pieces of one go together, dust and a neighbour's strokes go."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import Image, Sheet, blank, inked, several

#: Least longer side of a digit, in pixels and as a share of the picture's longer side.
MIN_DIGIT = 5
MIN_SHARE = 0.03
#: Most pieces that are looked at; the rest are smaller and count as dust.
MAX_PIECES = 200
#: Ink that is broken by gaps of twice this share of all ink's shorter side hangs together all the same.
BROKEN = 0.025
#: Longer side of a picture that has room for one digit alone, in pixels: what stands apart in it is broken or soiled.
SMALL_SIDE = 40
#: Pieces smaller than this share of the largest are specks.
SPECK = 0.05
#: Least height of a digit beside the tallest, as a share of that.
TALL = 0.5
#: Pieces nearer than this share of the tallest one's height go together.
NEAR = 0.25
#: Least size of what stands free, as a share of what is cut off or hangs on a line and is dropped for it.
CUT, HUNG = 0.15, 0.9
#: What comes nearer to the border than the longer side by this is cut off by it.
AT_BORDER = 150
#: Least height of a digit in a picture cut at the ink's edges, as a share of the tallest: digits of a row are alike.
TIGHT = 0.7
#: Farthest that a digit which the border cuts off lies from the middle, as a share of the picture's sides.
MAX_OFF = 0.3
#: Least size of what is framed, as a share of the frame's.
FRAMED = 0.35
#: Least width of an underline, by its height and by the width of what it underlines; and how far below it lies at
#: least, by the height of that.
LEVEL, UNDER, BELOW = 4, 1.0, 0.05
#: Smallest side of a piece that belongs to a digit, as a share of the digit's height.
MIN_PIECE = 0.1
#: Least share of the narrower piece's width that lies above or below the other for both to be one digit.
OVERLAP = 0.4

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


def keep_digit(sheet: Sheet) -> None:
    """Keep the strokes of the one digit on the sheet.

    Raises:
        ImageRejected: `blank`, there are at most specks; `several`, digits stand side by side.
    """
    digit, *others = find_digits(inked(sheet), sheet.lines)
    sheet.around = digit.around
    if others and max(inked(sheet).shape) > SMALL_SIDE:
        raise several(1 + len(others))
    for other in others:
        digit.take(other)
    keep_only(sheet, digit)


def keep_only(sheet: Sheet, digit: Piece) -> None:
    """Wipe the sheet clean but for one digit and its soft edge."""
    if digit.around is not None:
        return
    ink = inked(sheet)
    mask = np.zeros_like(ink)
    for contour in digit.contours:  # of several drawn at once, one within another would be a hole
        cv2.drawContours(mask, [contour], -1, 255, cv2.FILLED)
    mask = cv2.bitwise_and(mask, ink)
    if cv2.countNonZero(mask) == cv2.countNonZero(ink):
        return
    others = cv2.subtract(ink, mask)
    soft = cv2.dilate(others, _SQUARE, iterations=max(1, digit.size // 60))
    sheet.pixels = cv2.bitwise_and(sheet.pixels, cv2.bitwise_not(cv2.subtract(soft, mask)))
    sheet.ink = mask


_SQUARE = np.ones((3, 3), np.uint8)


def find_digits(ink: Image, lines: Image | None = None) -> list[Piece]:
    """Find the digits, from left to right.

    Args:
        ink: uint8, (height, width), 255 where there is ink.
        lines: the like, 255 on and beside lines that were erased.

    Raises:
        ImageRejected: `blank`, there are at most specks.
    """
    height, width = ink.shape
    pieces = _pieces(ink, lines)
    if len(pieces) > 1 or any(piece.cut for piece in pieces):
        _trust_tight(pieces, ink)
        pieces = _without_underline(_without_frames(_without_strangers(pieces, width, height)))
    least = max(MIN_DIGIT, MIN_SHARE * max(ink.shape))
    if not pieces or max(piece.size for piece in pieces) < least:
        raise blank("it shows specks, but no stroke")
    return sorted(_grouped(pieces), key=lambda digit: digit.left) if len(pieces) > 1 else pieces


def _pieces(ink: Image, lines: Image | None) -> list[Piece]:
    """Find the pieces that hang together, the largest first."""
    outer, holes = _outlines(ink)
    reach, around = 0, None
    if len(outer) == 1:
        around = sum(cv2.arcLength(contour, True) for contour in (*outer, *holes))
    elif outer:
        joined, reach = _joined(ink, _without_rings(outer))
        outer, _ = _outlines(joined)
    outer = sorted(outer, key=len, reverse=True)[:MAX_PIECES]
    edge = max(ink.shape) // AT_BORDER
    pieces = []
    for contour in outer:
        x, y, width, height = cv2.boundingRect(contour)
        hangs = lines is not None and _touches(contour, lines[y : y + height, x : x + width], (x, y))
        cut = min(x, y) <= edge or x + width >= ink.shape[1] - edge or y + height >= ink.shape[0] - edge
        left, top = x + reach, y + reach
        right, bottom = max(x + width - reach, left + 1), max(y + height - reach, top + 1)
        pieces.append(Piece([contour], left, top, right, bottom, cut, hangs, around))
    return sorted(pieces, key=lambda piece: piece.size, reverse=True)


def _without_rings(outer: list[Contour]) -> list[Contour]:
    """Drop what is drawn around something large: once gaps are bridged, the two might be one."""
    boxes = [cv2.boundingRect(contour) for contour in outer]
    largest = max(max(box[2:]) for box in boxes)
    large = [
        Piece([contour], x, y, x + width, y + height, cut=False, hangs=False)
        for contour, (x, y, width, height) in zip(outer, boxes, strict=True)
        if max(width, height) >= FRAMED * largest
    ]
    kept = _without_frames(large)
    rings = [piece.contours[0] for piece in large if all(piece is not one for one in kept)]
    return [contour for contour in outer if all(contour is not ring for ring in rings)]


def _joined(ink: Image, outer: list[Contour]) -> tuple[Image, int]:
    """Bridge the gaps of broken strokes, all but of specks; gives the ink and by how much it was widened."""
    boxes = [cv2.boundingRect(contour) for contour in outer]
    largest = max(max(box[2:]) for box in boxes)
    sound = [contour for contour, box in zip(outer, boxes, strict=True) if max(box[2:]) >= SPECK * largest]
    mask = np.zeros_like(ink)
    for contour in sound:
        cv2.drawContours(mask, [contour], -1, 255, cv2.FILLED)
    mask = cv2.bitwise_and(mask, ink)
    _, _, width, height = cv2.boundingRect(mask)
    reach = round(BROKEN * min(width, height))
    return (cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) if reach else mask), reach


def _outlines(ink: Image) -> tuple[list[Contour], list[Contour]]:
    """Follow the outlines of all ink that hangs together, and those of the holes in it."""
    contours, hierarchy = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outer: list[Contour] = []
    holes: list[Contour] = []
    for contour, within in zip(contours, () if hierarchy is None else hierarchy[0, :, 3].tolist(), strict=True):
        (outer if within < 0 else holes).append(contour)
    return outer, holes


def _trust_tight(pieces: list[Piece], ink: Image) -> None:
    """Take tall pieces for whole where ink reaches all four sides: the picture was cut at the ink's own edges."""
    x, y, width, height = cv2.boundingRect(ink)
    edge = max(ink.shape) // AT_BORDER
    if max(x, y, ink.shape[1] - x - width, ink.shape[0] - y - height) > edge:
        return
    tall = TIGHT * max(piece.height for piece in pieces)
    for piece in pieces:
        piece.cut &= piece.height < tall


def _without_strangers(pieces: list[Piece], width: int, height: int) -> list[Piece]:
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


def _without_frames(pieces: list[Piece]) -> list[Piece]:
    """Drop what is drawn around something else: within a digit there is nothing but dust."""
    return [
        piece
        for piece in pieces
        if not any(_encloses(piece, other) and other.size >= FRAMED * piece.size for other in pieces)
    ]


def _without_underline(pieces: list[Piece]) -> list[Piece]:
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


def _encloses(one: Piece, other: Piece) -> bool:
    """Tell whether a piece goes round another: its box alone may hold another stroke of the same digit."""
    if not (one.left < other.left and one.top < other.top and one.right > other.right and one.bottom > other.bottom):
        return False
    x, y = (int(place) for place in other.contours[0][0, 0])
    return any(cv2.pointPolygonTest(contour, (x, y), False) > 0 for contour in one.contours)


def _touches(contour: Contour, mask: Image, corner: tuple[int, int]) -> bool:
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [contour - np.array(corner, np.int32)], -1, 255, cv2.FILLED)
    return bool(cv2.bitwise_and(filled, mask).any())


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


def _grouped(pieces: list[Piece]) -> list[Piece]:
    """Put the pieces of every digit together, and drop dust."""
    tallest = max(piece.height for piece in pieces)
    reference = max(tallest, max(piece.size for piece in pieces) // 2)
    groups: list[Piece] = []
    for piece in pieces:
        group = next((group for group in groups if _stands_over(group, piece, reference)), None)
        if group:
            group.take(piece)
        elif piece.size >= MIN_PIECE * reference:
            groups.append(piece)
    main = max(groups, key=lambda group: group.height)
    digits = [group for group in groups if group is main or _stands_beside(group, main, reference)]
    for group in groups:
        if all(group is not digit for digit in digits):
            nearest = min(digits, key=lambda digit: _distance(digit, group))
            if _distance(nearest, group) <= NEAR * reference:
                nearest.take(group)
    return digits


def _stands_over(one: Piece, other: Piece, reference: int) -> bool:
    """Tell whether two pieces lie above one another, or one within the other, near enough to be one digit."""
    shared = min(one.right, other.right) - max(one.left, other.left)
    if shared < OVERLAP * min(one.width, other.width):
        return False
    apart = max(one.top, other.top) - min(one.bottom, other.bottom)
    return apart <= NEAR * reference and other.size >= MIN_PIECE / 2 * reference


def _stands_beside(piece: Piece, main: Piece, reference: int) -> bool:
    """Tell whether a piece is a digit on the main one's line."""
    shared = min(piece.bottom, main.bottom) - max(piece.top, main.top)
    return piece.height >= TALL * reference and shared >= 0.5 * piece.height


def _distance(one: Piece, other: Piece) -> float:
    """Measure the gap between the boxes of two pieces, in pixels."""
    x = max(one.left, other.left) - min(one.right, other.right)
    y = max(one.top, other.top) - min(one.bottom, other.bottom)
    return float(np.hypot(max(x, 0), max(y, 0)))
