"""Which strokes on the paper are digits: pieces of one go together, dust and a neighbour's strokes go."""

from __future__ import annotations

import cv2
import numpy as np

from classifier.pieces import (
    AT_BORDER,
    MIN_DIGIT,
    MIN_SHARE,
    TALL,
    Contour,
    Piece,
    trust_tight,
    without_frames,
    without_rings,
    without_strangers,
    without_underline,
)
from classifier.sheet import Image, Sheet, blank, inked, several

#: Most pieces that are looked at; the rest are smaller and count as dust.
MAX_PIECES = 200
#: Ink that is broken by gaps of twice this share of all ink's shorter side hangs together all the same.
BROKEN = 0.025
#: Pieces smaller than this share of the largest are specks.
SPECK = 0.05
#: Pieces nearer than this share of the tallest one's height go together.
NEAR = 0.25
#: Smallest side of a piece that belongs to a digit, as a share of the digit's height.
MIN_PIECE = 0.1
#: Least share of the narrower piece's width that lies above or below the other for both to be one digit.
OVERLAP = 0.4


def keep_digit(sheet: Sheet) -> None:
    """Keep the strokes of the one digit on the sheet.

    Raises:
        ImageRejected: `blank`, there are at most specks; `several`, digits stand side by side.
    """
    digit, *others = find_digits(inked(sheet), sheet.lines)
    if digit.size < MIN_DIGIT * sheet.enlarged and not others:
        raise blank("it shows a speck, but no stroke")
    sheet.around = digit.around
    if others and not sheet.lone:
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
        trust_tight(pieces, ink)
        pieces = without_underline(without_frames(without_strangers(pieces, width, height)))
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
        joined, reach = _joined(ink, without_rings(outer))
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


def _touches(contour: Contour, mask: Image, corner: tuple[int, int]) -> bool:
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [contour - np.array(corner, np.int32)], -1, 255, cv2.FILLED)
    return bool(cv2.bitwise_and(filled, mask).any())


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
