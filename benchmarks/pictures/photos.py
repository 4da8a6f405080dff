"""Digits as a phone photographs them: light, lens, sensor and file; each with a digit of MNIST."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.ink import Picture, Place, Rng
from benchmarks.pictures.paper import (
    BLACK,
    BLUE,
    COLD,
    GRAPHITE,
    LINE_BLUE,
    WARM,
    WHITE,
    Page,
    picture_of,
    ruled,
    sheet,
    texture_of,
    thrice,
    uneven,
    written,
)
from benchmarks.pictures.strokes import with_some_pen


def soft_shadow(digit: Picture, rng: Rng) -> Picture:
    """Half of the paper in a shadow with a soft edge."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.lit(page, camera.half_shadow(place.shape, rng, depth=rng.uniform(0.35, 0.6), soft=1.0)))


def hard_shadow(digit: Picture, rng: Rng) -> Picture:
    """Half of the paper in a shadow with a sharp edge, which often runs through the digit."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.lit(page, camera.half_shadow(place.shape, rng, depth=rng.uniform(0.35, 0.6), soft=0.06)))


def hand_shadow(digit: Picture, rng: Rng) -> Picture:
    """The shadow of the hand that holds the phone."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.lit(page, camera.hand_shadow(place.shape, rng, depth=rng.uniform(0.3, 0.55))))


def lamp(digit: Picture, rng: Rng) -> Picture:
    """A lamp at one side: the other side gets a quarter to half of its light."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.lit(page, camera.lamp(place.shape, rng, rng.uniform(0.5, 0.75))))


def askew(digit: Picture, rng: Rng) -> Picture:
    """Photographed from aside and turned by up to 15 degrees."""
    place = Place.somewhere(rng, share=(0.4, 0.55), turn=15, clear=1.6)
    page = written(sheet(place.shape, rng), uneven(with_some_pen(digit, place, rng), rng), BLACK, strength=0.9)
    return picture_of(camera.askew(page, rng, tilt=0.12))


def note_on_desk(digit: Picture, rng: Rng) -> Picture:
    """A slip of paper on a dark desk, which shows at a corner or along an edge."""
    place = Place.somewhere(rng, side=(160, 320), share=(0.35, 0.5), turn=8)
    height, width = place.shape
    page = written(sheet(place.shape, rng), uneven(with_some_pen(digit, place, rng), rng), BLUE, strength=0.9)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = camera.grid(place.shape)
    tilt = rng.uniform(-0.25, 0.25)
    across = rows * np.sin(angle) + columns * np.cos(angle) + tilt * (columns * np.sin(angle) - rows * np.cos(angle))
    x, y = 2 * place.middle[0] / width - 1, 2 * place.middle[1] / height - 1
    reach = x * np.cos(angle) + y * np.sin(angle) + 1.6 * place.size / min(place.shape)
    beyond = np.clip((across - max(reach, rng.uniform(0.7, 0.95))) * min(place.shape) / 2, 0, 1)
    grain = 1 + 0.12 * cv2.GaussianBlur(texture_of(place.shape, rng, 0.8), (0, 0), sigmaX=12, sigmaY=0.6)
    desk = camera.tinted(thrice(grain), (0.16, 0.24, 0.36))
    return picture_of(page + thrice(beyond.astype(np.float32)) * (desk - page))


def defocused(digit: Picture, rng: Rng) -> Picture:
    """Out of focus by a twentieth to a tenth of the digit's height."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.defocused(page, place.size * rng.uniform(0.025, 0.05)))


def motion_blurred(digit: Picture, rng: Rng) -> Picture:
    """The phone moved by a twentieth to a tenth of the digit's height."""
    place, page = _photographed(digit, rng)
    return picture_of(camera.smeared(page, place.size * rng.uniform(0.05, 0.11), rng.uniform(0, np.pi)))


def sensor_noise(digit: Picture, rng: Rng) -> Picture:
    """Coloured noise of a small sensor."""
    _, page = _photographed(digit, rng)
    return picture_of(camera.noisy(page, rng, amount=rng.uniform(0.04, 0.09)))


def low_light(digit: Picture, rng: Rng) -> Picture:
    """Photographed in the evening: dark, yellowish, noisy, with the spots of noise reduction."""
    place, page = _photographed(digit, rng)
    light = rng.uniform(0.35, 0.55) * camera.lamp(place.shape, rng, 0.4)
    dark = camera.tinted(camera.lit(page, light), (0.7, 0.9, 1.0))
    return picture_of(camera.noisy(dark, rng, amount=0.035, blotch=0.02))


def jpeg(digit: Picture, rng: Rng) -> bytes:
    """A JPEG of quality 10 to 40."""
    _, page = _photographed(digit, rng)
    return camera.jpeg(picture_of(camera.noisy(page, rng, amount=0.01)), int(rng.integers(10, 41)))


def sideways(digit: Picture, rng: Rng) -> bytes:
    """A JPEG of a phone that was held sideways or upside down, with a note in EXIF that says so."""
    _, page = _photographed(digit, rng)
    return camera.sideways_jpeg(picture_of(page), int(rng.integers(1, 4)))


def screen_photo(digit: Picture, rng: Rng) -> Picture:
    """Photographed from a screen: bands of moiré, a bluish white."""
    place, page = _photographed(digit, rng)
    bands = camera.moire(place.shape, rng, depth=rng.uniform(0.05, 0.14))
    shown = camera.tinted(0.06 + 0.9 * page * bands, (1.0, 0.93, 0.88))
    return picture_of(camera.noisy(shown, rng, amount=0.015))


def phone_photo(digit: Picture, rng: Rng) -> bytes:
    """All at once: paper, uneven light, a shadow, held askew, a little blur and noise, JPEG."""
    return _phone(digit, rng, Place.somewhere(rng, side=(160, 480), share=(0.35, 0.65), turn=10, clear=1.4))


def phone_photo_12mp(digit: Picture, rng: Rng) -> bytes:
    """The like in 12 megapixels, as phones send them."""
    height, width = (3024, 4032) if rng.random() < 0.5 else (4032, 3024)
    size = 3024 * rng.uniform(0.25, 0.6)
    x, y = (side / 2 + rng.uniform(-0.5, 0.5) * (side - 1.2 * size) for side in (width, height))
    return _phone(digit, rng, Place((height, width), (float(x), float(y)), float(size), float(rng.uniform(-10, 10))))


def _phone(digit: Picture, rng: Rng, place: Place) -> bytes:
    unit = min(place.shape) / 250
    page = sheet(place.shape, rng, colour=(WHITE, COLD, WARM)[rng.integers(3)], rough=0.012)
    if rng.random() < 0.4:
        pitch = place.size * rng.uniform(1.1, 1.6)
        lines = ruled(place.shape, pitch, place.middle[1] + pitch * rng.uniform(0.42, 0.5), width=1.2 * unit)
        page = written(page, lines, LINE_BLUE)
    colour = (BLACK, BLUE, GRAPHITE)[rng.integers(3)]
    page = written(page, uneven(with_some_pen(digit, place, rng), rng), colour, strength=rng.uniform(0.75, 0.95))
    page = camera.askew(page, rng, tilt=0.06)
    light = camera.lamp(place.shape, rng, rng.uniform(0.2, 0.5))
    if rng.random() < 0.6:
        light = light * camera.half_shadow(
            place.shape, rng, depth=rng.uniform(0.2, 0.45), soft=float(rng.choice([0.08, 0.5, 1.2]))
        )
    page = camera.lit(page, light)
    page = camera.defocused(page, float(np.clip(place.size * rng.uniform(0.005, 0.015), 0.6, 4)))
    page = camera.noisy(page, rng, amount=rng.uniform(0.01, 0.03))
    return camera.jpeg(picture_of(page), int(rng.integers(40, 85)))


def _photographed(digit: Picture, rng: Rng) -> tuple[Place, Page]:
    place = Place.somewhere(rng)
    colour = (BLACK, BLUE)[rng.integers(2)]
    return place, written(sheet(place.shape, rng), uneven(with_some_pen(digit, place, rng), rng), colour, strength=0.9)


#: Every generator of this module.
GENERATORS = (
    soft_shadow,
    hard_shadow,
    hand_shadow,
    lamp,
    askew,
    note_on_desk,
    defocused,
    motion_blurred,
    sensor_noise,
    low_light,
    jpeg,
    sideways,
    screen_photo,
    phone_photo,
    phone_photo_12mp,
)
