"""Digits of odd sizes, light on dark, on nothing, scanned badly, or beside other ink; each with a digit of MNIST."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.ink import Ink, Picture, Place, Rng, Stroke, drawn, enlarged, ink_box
from benchmarks.pictures.paper import BLACK, BLUE, graphite, grey, picture_of, sheet, texture_of, uneven, written

#: Size of the spots that are worn away, of a small digit and of a large one, in pixels.
_WORN = (2.0, 4.0)


def tiny(digit: Picture, rng: Rng) -> Picture:
    """Sixteen pixels high."""
    place = Place.somewhere(rng, side=(128, 128), share=(0.7, 0.85))
    picture = picture_of(written(sheet(place.shape, rng), enlarged(digit, place), BLACK))
    return np.asarray(cv2.resize(picture, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA))


def large(digit: Picture, rng: Rng) -> bytes:
    """A scan of 800 to 3,000 pixels a side."""
    side = int(np.exp(rng.uniform(np.log(800), np.log(2300))))
    place = Place.somewhere(rng, side=(side, side))
    return camera.jpeg(grey(picture_of(written(sheet(place.shape, rng), enlarged(digit, place), BLACK))), 90)


def off_centre(digit: Picture, rng: Rng) -> Picture:
    """A small digit somewhere on much paper."""
    place = Place.somewhere(rng, side=(300, 600), share=(0.1, 0.2))
    return picture_of(written(sheet(place.shape, rng), uneven(enlarged(digit, place), rng), BLUE, strength=0.95))


def boxed(digit: Picture, rng: Rng) -> Picture:
    """As other databases keep them: the ink fills a box of 8 to 20 pixels, light on dark or the reverse."""
    x, y, width, height = ink_box(digit)
    side = int(rng.choice((8, 12, 16, 20)))
    size = max(1, round(side * width / max(width, height))), max(1, round(side * height / max(width, height)))
    first, above = round(x + 0.5), round(y + 0.5)
    cut = digit[above : above + round(height), first : first + round(width)]
    ink = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    page = np.zeros((side, side), np.uint8)
    page[top : top + size[1], left : left + size[0]] = ink
    return page if rng.random() < 0.5 else 255 - page


def cropped_tight(digit: Picture, rng: Rng) -> Picture:
    """Cut at the digit's own edges, with no paper around."""
    size = int(rng.integers(60, 260))
    _, _, width, height = ink_box(digit)
    shape = round(size * height / max(width, height)), round(size * width / max(width, height))
    place = Place(shape, ((shape[1] - 1) / 2, (shape[0] - 1) / 2), size * 0.98)
    return picture_of(written(sheet(shape, rng), uneven(enlarged(digit, place), rng), BLACK, strength=0.95))


def chalk(digit: Picture, rng: Rng) -> Picture:
    """Chalk on a green or black board that was wiped before."""
    place = Place.somewhere(rng)
    board = (0.22, 0.30, 0.16) if rng.random() < 0.5 else (0.17, 0.16, 0.16)
    page = sheet(place.shape, rng, colour=board, rough=0.04)
    wiped = np.clip(0.06 * texture_of(place.shape, rng, 24.0), 0, 1)
    page = written(page, wiped.astype(np.float32), (0.9, 0.9, 0.9))
    return picture_of(written(page, graphite(enlarged(digit, place), rng, strength=0.8), (0.92, 0.95, 0.95)))


def white_ink(digit: Picture, rng: Rng) -> Picture:
    """White ink on coloured card."""
    place = Place.somewhere(rng)
    cards = ((0.15, 0.12, 0.55), (0.45, 0.22, 0.12), (0.25, 0.35, 0.12), (0.30, 0.15, 0.35), (0.12, 0.12, 0.12))
    page = sheet(place.shape, rng, colour=cards[rng.integers(len(cards))], rough=0.03)
    return picture_of(written(page, uneven(enlarged(digit, place), rng), (0.96, 0.96, 0.96), strength=0.92))


def inverted_scan(digit: Picture, rng: Rng) -> Picture:
    """A scan with black and white exchanged."""
    place = Place.somewhere(rng)
    return ~grey(picture_of(written(sheet(place.shape, rng), uneven(enlarged(digit, place), rng), BLACK)))


def transparent_black(digit: Picture, rng: Rng) -> bytes:
    """A PNG of black ink on nothing."""
    return _on_nothing(digit, rng, 20)


def transparent_white(digit: Picture, rng: Rng) -> bytes:
    """A PNG of white ink on nothing."""
    return _on_nothing(digit, rng, 255)


def broken(digit: Picture, rng: Rng) -> Picture:
    """A copy of a copy: parts of the strokes are lost."""
    place = Place.somewhere(rng)
    worn = enlarged(digit, place) * (texture_of(place.shape, rng, float(_WORN[int(place.size > 120)])) > -1.1)
    ink = cv2.GaussianBlur(worn.astype(np.float32), (0, 0), 0.8)
    return grey(picture_of(written(sheet(place.shape, rng), ink, BLACK)))


def fax(digit: Picture, rng: Rng) -> bytes:
    """A fax: one bit a pixel, about 60 pixels high, salt and pepper, ragged edges."""
    place = Place.somewhere(rng, side=(60, 120), share=(0.5, 0.8))
    ink = enlarged(digit, place) + 0.15 * texture_of(place.shape, rng, 0.8)
    picture = np.where(ink > 0.5, 0, 255).astype(np.uint8)
    chance = rng.random(place.shape, np.float32)
    picture[chance < 0.01] = 0
    picture[chance > 1 - 0.02] = 255
    return camera.bilevel_png(picture)


def specks(digit: Picture, rng: Rng) -> Picture:
    """Dust and specks of up to an eighth of the digit's height."""
    place = Place.somewhere(rng)
    dust = np.zeros(place.shape, np.uint8)
    for _ in range(int(rng.integers(8, 40))):
        x, y = (int(rng.integers(0, side)) for side in place.shape[::-1])
        axes = np.maximum(1, place.size * rng.uniform(0.004, 0.035, 2)).astype(int).tolist()
        cv2.ellipse(dust, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, int(rng.integers(90, 255)), -1, cv2.LINE_AA)
    ink = np.maximum(enlarged(digit, place), dust / np.float32(255) * 0.9)
    return picture_of(written(sheet(place.shape, rng), ink, BLACK, strength=0.92))


def neighbour(digit: Picture, rng: Rng) -> Picture:
    """A piece of a neighbour's stroke at the edge of the picture."""
    place = Place.somewhere(rng, share=(0.45, 0.6))
    height, width = place.shape
    ink = np.maximum(enlarged(digit, place), _intruder(place, rng))
    colour = BLUE if rng.random() < 0.5 else BLACK
    return picture_of(written(sheet((height, width), rng), uneven(ink, rng), colour, strength=0.92))


def _intruder(place: Place, rng: Rng) -> Ink:
    """A bent stroke that enters the picture at the side that is farther from the digit, and leaves there again."""
    height, width = place.shape
    x, y = place.middle
    room = {"left": x, "right": width - x, "top": y, "bottom": height - y}
    side = max(room, key=lambda name: room[name])
    depth = max(2.0, (room[side] - 0.68 * place.size) * rng.uniform(0.25, 0.7))
    t = np.linspace(-1, 1, 30)
    reach = place.size * rng.uniform(0.2, 0.5)
    along = (y if side in ("left", "right") else x) + place.size * rng.uniform(-0.3, 0.3) + reach * t
    top = rng.uniform(-0.3, 0.3)
    # Steep enough that both of its ends are cut off: what lies inside whole is a sign of its own.
    inward = depth * (1 - rng.uniform(1.2, 2.5) * ((t - top) / (1 - abs(top))) ** 2)
    stroke: Stroke = {
        "left": np.stack([inward, along], axis=1),
        "right": np.stack([width - inward, along], axis=1),
        "top": np.stack([along, inward], axis=1),
        "bottom": np.stack([along, height - inward], axis=1),
    }[side]
    low, high = stroke.min(axis=0), stroke.max(axis=0)
    middle = (low + high) / 2
    where = Place(place.shape, (float(middle[0]), float(middle[1])), float((high - low).max()))
    return drawn([stroke], where, max(1.0, place.size * rng.uniform(0.05, 0.1)), rng=rng)


def _on_nothing(digit: Picture, rng: Rng, level: int) -> bytes:
    place = Place.somewhere(rng)
    alpha = np.rint(enlarged(digit, place) * 255).astype(np.uint8)
    colour = np.full_like(alpha, level)
    return camera.png(np.dstack([colour, colour, colour, alpha]))


#: Every generator of this module.
GENERATORS = (
    tiny,
    large,
    off_centre,
    boxed,
    cropped_tight,
    chalk,
    white_ink,
    inverted_scan,
    transparent_black,
    transparent_white,
    broken,
    fax,
    specks,
    neighbour,
)
