"""A slip of paper that lies on something else: a note on a desk, a card on a table, a canvas in its frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.paper import MAX_BETWEEN, between, rim_share, to_grey, turn
from classifier.sheet import Image, Sheet, ink_box, inked, region, touches_border

#: Longer side of the picture in which the slip is looked for, in pixels.
LOOK_SIDE = 128
#: Sides of the squares that the picture is smoothed by first: grain, then what covers an edge, as a finger does.
BRUSHES = (3, 17)
#: Least share of its own box that a slip fills, and least of its width by its height or the reverse: a fat one is slimmer.
DENSE, SLIM = 0.6, 0.35
#: Least share of the border that shows what a slip lies on, where that is taken for ink.
AROUND = 0.15
#: Least and most share of the picture that a slip takes up; it is three of those squares wide and high as well, or
#: hatching and loops might become one.
LEAST, MOST = 0.05, 0.97
#: Least share of its convex hull that a slip fills, and of that hull which the polygon fills that is drawn along it.
CONVEX, STRAIGHT = 0.93, 0.93
#: How far that polygon may be from the hull, as a share of its length.
NEAR = 0.02
#: Least share of that polygon which runs along steep edges, and what they rise by in a pixel, as a share of the contrast.
ALONG, STEEP = 0.75, 0.4
#: Most that a corner is off the right angle, as its cosine.
ASKEW = 0.45
#: Least difference of a slip from what it lies on, in grey levels of any channel.
APART = 25
#: Share of that difference by which ink differs from the slip at least, and least and most ink on the slip.
INKED, LEAST_INK, MOST_INK = 0.35, 0.001, 0.25
#: What is cut off along the edge of a slip, as a share of the shorter side.
EDGE = 0.02

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Slip:
    """Where a slip lies in a picture."""

    #: float32, (n, 2): x and y of its corners, and of where the picture's border cuts it off, in pixels.
    corners: Points
    #: Blue, green and red, or grey, of its paper.
    paper: tuple[float, ...]


def cut_slip(sheet: Sheet) -> None:
    """Cut out the slip that lies on something else and lay it straight, and look for ink on it alone."""
    picture = sheet.taken
    slip = find_slip(picture) if picture is not None and _may_lie_on_something(sheet) else None
    if picture is None or slip is None:
        return
    sheet.pixels, sheet.ink, sheet.turned = _laid_straight(picture, slip), None, False
    to_grey(sheet)
    turn(sheet)


def _may_lie_on_something(sheet: Sheet) -> bool:
    """Tell cheaply whether there may be more than paper and strokes, which are two levels and fill little."""
    ink = inked(sheet)
    if touches_border(sheet) and rim_share(ink) >= AROUND:
        return True
    part = ink[region(ink_box(sheet))]
    if min(part.shape) > SLIM * max(part.shape) and cv2.countNonZero(part) > DENSE * part.size:
        return True
    return between(sheet.pixels) > MAX_BETWEEN


def find_slip(picture: Image) -> Slip | None:
    """Find a slip: straight edges, right corners, paper of one colour with something on it, another colour around it.

    Args:
        picture: uint8, (height, width) grey or (height, width, 3) BGR.

    Returns:
        None where there is none, or it fills the picture.
    """
    height, width = picture.shape[:2]
    by = max(1, -(-max(height, width) // LOOK_SIDE))
    size = max(1, width // by), max(1, height // by)
    small = cv2.resize(picture[: size[1] * by, : size[0] * by], size, interpolation=cv2.INTER_AREA)
    small = small.reshape(*small.shape[:2], -1)
    rim = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    middle = small[size[1] // 3 : -(-2 * size[1] // 3), size[0] // 3 : -(-2 * size[0] // 3)].reshape(-1, small.shape[2])
    for brush, sample in product(BRUSHES, (rim, middle)):
        polygon = _polygon_apart(small, np.median(sample, axis=0), np.ones((brush, brush), np.uint8))
        paper = None if polygon is None else _paper(small, polygon)
        if polygon is not None and paper is not None:
            return Slip(((polygon + 0.5) * by - 0.5).astype(np.float32), paper)
    return None


def _polygon_apart(small: Image, colour: NDArray[np.float64], brush: Image) -> Points | None:
    """Draw a polygon along what is of a colour, or else of another one, where that has the edges of a slip."""
    apart = np.abs(small.astype(np.int16) - colour.astype(np.int16)).max(axis=2).astype(np.uint8)
    apart = cv2.GaussianBlur(apart, (3, 3), 0)
    far = cv2.threshold(apart, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    near = cv2.bitwise_not(far)
    steep = _steep(apart, cv2.mean(apart, far)[0] - cv2.mean(apart, near)[0])
    polygons = (_polygon(mask, brush) for mask in (far, near))
    return next((one for one in polygons if one is not None and _runs_along(one, steep)), None)


def _steep(apart: Image, contrast: float) -> Image:
    """Mark steep edges and what is next to them: light and shade change slowly."""
    across, down = (cv2.Sobel(apart, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    steep = cv2.compare(cv2.magnitude(across, down), 4 * STEEP * contrast, cv2.CMP_GE)
    return np.asarray(cv2.dilate(steep, np.ones((3, 3), np.uint8)), np.uint8)


def _polygon(mask: Image, brush: Image) -> Points | None:
    """Draw a polygon along the largest piece of a mask; None where it is no slip: not large, convex and straight."""
    even = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, brush), cv2.MORPH_CLOSE, brush)
    contours = cv2.findContours(even, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(outline)
    if not max(LEAST * mask.size, 9 * brush.size) <= area <= MOST * mask.size:
        return None
    hull = cv2.convexHull(outline)
    polygon = cv2.approxPolyDP(hull, NEAR * cv2.arcLength(hull, True), True)
    if area < CONVEX * cv2.contourArea(hull) or cv2.contourArea(polygon) < STRAIGHT * cv2.contourArea(hull):
        return None
    corners: Points = polygon[:, 0].astype(np.float32)
    return corners if _has_right_angles(corners, mask.shape) else None


def _has_right_angles(corners: Points, shape: tuple[int, ...]) -> bool:
    """Tell whether there are corners within the picture, and all of them are about right."""
    before, after = np.roll(corners, 1, axis=0) - corners, np.roll(corners, -1, axis=0) - corners
    cosines = (before * after).sum(axis=1) / (np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1))
    last = np.array([shape[1], shape[0]]) - 1
    inside = np.minimum(corners, last - corners).min(axis=1) > 2
    return bool(inside.any() and (np.abs(cosines[inside]) <= ASKEW).all() and inside.sum() <= 4)


def _runs_along(corners: Points, steep: Image) -> bool:
    """Tell whether most of a polygon, but for what lies at the picture's border, runs along steep edges."""
    line = np.zeros_like(steep)
    cv2.polylines(line, [np.rint(corners).astype(np.int32)], isClosed=True, color=255)
    line[:3] = line[-3:] = line[:, :3] = line[:, -3:] = 0
    return cv2.countNonZero(cv2.bitwise_and(line, steep)) >= ALONG * cv2.countNonZero(line)


def _paper(small: Image, polygon: Points) -> tuple[float, ...] | None:
    """Tell the colour of a slip's paper; None where it is that of the surroundings, or there is no ink on it."""
    mask = np.zeros(small.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(polygon).astype(np.int32), 255)
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    outer = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    on_slip, around = small[inner > 0].astype(np.float32), small[outer == 0].astype(np.float32)
    if not (len(on_slip) and len(around)):
        return None
    paper, desk = np.median(on_slip, axis=0), np.median(around, axis=0)
    apart = float(np.abs(paper - desk).max())
    inked = float((np.abs(on_slip - paper).max(axis=1) > INKED * apart).mean())
    if apart < APART or not LEAST_INK <= inked <= MOST_INK:
        return None
    return tuple(paper.tolist())


def _laid_straight(picture: Image, slip: Slip) -> Image:
    """Turn a slip upright and cut it out; what the picture shows beside it becomes paper."""
    (x, y), (width, height), angle = cv2.minAreaRect(slip.corners)
    if abs(angle) > 45:
        width, height, angle = height, width, angle - np.copysign(90, angle)
    cut = EDGE * min(width, height)
    size = max(1, round(width - 2 * cut)), max(1, round(height - 2 * cut))
    matrix = cv2.getRotationMatrix2D((x, y), angle, 1)
    matrix[:, 2] += np.array(size) / 2 - 0.5 - (x, y)
    flat = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderValue=slip.paper)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(slip.corners).astype(np.int32), 255)
    beside = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST) == 0
    if beside.any():
        reach = 2 * round(cut) + 1
        flat[cv2.dilate(beside.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0] = slip.paper
    straight: Image = flat
    return straight
