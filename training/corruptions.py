"""Spoil digits the way cameras, paper and clumsy hands do, to see how much a model bears.

Generators of our own in the spirit of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337), each about as severe as its
namesake there; `scale`, `rotate` and `translate` go further. Its `canny_edges` has no counterpart here. They spoil
digits before `classifier.preprocess.prepare`: what that mends, it mends.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import SIDE, Image

#: Spoils one image, uint8, (28, 28), ink bright on 0, by chance; returns a new one of the same form.
Corruption = Callable[[Image, np.random.Generator], Image]

_MIDDLE = (SIDE - 1) / 2
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
#: Places of the pixels that have all their neighbours, for `glass_blur`, in a flat image.
_INNER = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[1:-1, 1:-1].ravel()
#: Sides of the random grids that fog is made of, the coarsest first, and how strong each is.
_FOG = ((2, 0.16), (4, 0.08), (7, 0.05), (14, 0.03))
#: Pixels that motion smears ink over.
_SMEAR = 8
_WHITE = 255


def shear(image: Image, rng: np.random.Generator) -> Image:
    """Slant by 0.42 pixels a row, the tangent of 0.4 radians, to the left or to the right."""
    slant = 0.42 * _sign(rng)
    return _moved(image, np.array([[1, slant, -slant * _MIDDLE], [0, 1, 0]]))


def scale(image: Image, rng: np.random.Generator) -> Image:
    """Shrink to 60 % about the middle (MNIST-C: 70 %)."""
    del rng
    return _moved(image, np.array([[0.6, 0, 0.4 * _MIDDLE], [0, 0.6, 0.4 * _MIDDLE]]))


def rotate(image: Image, rng: np.random.Generator) -> Image:
    """Turn by 30 degrees, either way (MNIST-C: 0.4 radians, 23 degrees)."""
    return _moved(image, cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), 30 * _sign(rng), 1))


def translate(image: Image, rng: np.random.Generator) -> Image:
    """Shift by 3 to 6 pixels along both axes, less where ink would leave the image (MNIST-C: 3)."""
    left, top, width, height = cv2.boundingRect(image)
    right, down = (int(step) for step in rng.integers(3, 7, 2) * (2 * rng.integers(0, 2, 2) - 1))
    right = min(max(right, -left), SIDE - width - left)
    down = min(max(down, -top), SIDE - height - top)
    page = np.zeros_like(image)
    ink = image[top : top + height, left : left + width]
    page[top + down : top + down + height, left + right : left + right + width] = ink
    return page


def shot_noise(image: Image, rng: np.random.Generator) -> Image:
    """Count light in grains, 3 of them for white (Poisson noise)."""
    noisy = np.zeros_like(image)
    inked = image > 0  # black has no grains
    noisy[inked] = np.minimum(rng.poisson(image[inked] * (3 / _WHITE)), 3) * 85
    return noisy


def impulse_noise(image: Image, rng: np.random.Generator) -> Image:
    """Turn 17 % of the pixels black or white, half of them each."""
    chance = rng.random(image.shape, np.float32)
    noisy = image.copy()
    noisy[chance < 0.085] = _WHITE
    noisy[chance > 1 - 0.085] = 0
    return noisy


def glass_blur(image: Image, rng: np.random.Generator) -> Image:
    """Look through frosted glass: blur (0.7 pixels), take each pixel from a neighbour twice over, blur again."""
    seen = cv2.GaussianBlur(image, (5, 5), 0.7)
    flat = seen.reshape(-1)
    for steps in rng.integers(-1, 2, (2, 2, len(_INNER)), np.int8).astype(np.intp):
        shifted = flat.copy()
        shifted[_INNER] = flat[_INNER + SIDE * steps[0] + steps[1]]
        flat = shifted
    blurred: Image = cv2.GaussianBlur(flat.reshape(SIDE, SIDE), (5, 5), 0.7)
    return blurred


def motion_blur(image: Image, rng: np.random.Generator) -> Image:
    """Smear ink to one side, up to 45 degrees off the level, fading over 8 pixels (half a Gaussian of 3 pixels)."""
    kernel = _smear(int(rng.integers(-45, 46)))
    smeared: Image = cv2.filter2D(image, -1, kernel, anchor=(0, len(kernel) // 2), borderType=cv2.BORDER_CONSTANT)
    return smeared


def zigzag(image: Image, rng: np.random.Generator) -> Image:
    """Scribble a zigzag across, 2 pixels thick, its teeth 4 pixels long and 4 high."""
    start = rng.integers(0, SIDE - 1)
    rise = rng.integers(-5, 6) / 23
    along = np.concatenate([[0], np.arange(2, 22, 4), [23]])
    across = np.concatenate([[0], np.tile([2, -2], 3)[:5], [0]])
    corners = np.stack([2 + along - rise * across, start + rise * along + across], axis=1)
    scribble = np.zeros_like(image)
    cv2.polylines(scribble, [np.rint(corners * 16).astype(np.int32)], False, _WHITE, 2, cv2.LINE_AA, 4)
    return _added(image, scribble)


def dotted_line(image: Image, rng: np.random.Generator) -> Image:
    """Draw a straight line across, 2 pixels on and 2 off, 2 pixels thick and paling beyond."""
    first, last = rng.integers(0, SIDE - 1, 2)
    middle = first + (last - first) / (SIDE - 1) * _COLUMNS
    line = np.clip(_WHITE * (1.75 - np.abs(_ROWS - middle)), 0, _WHITE).astype(np.uint8)
    line[:, _COLUMNS[0] % 4 < 2] = 0
    return _added(image, line)


def brightness(image: Image, rng: np.random.Generator) -> Image:
    """Brighten everything by half of white."""
    del rng
    return _added(image, np.full_like(image, 128))


def stripe(image: Image, rng: np.random.Generator) -> Image:
    """Invert the left quarter and the right quarter."""
    del rng
    striped = image.copy()
    quarter = SIDE // 4
    striped[:, :quarter] = ~image[:, :quarter]
    striped[:, -quarter:] = ~image[:, -quarter:]
    return striped


def fog(image: Image, rng: np.random.Generator) -> Image:
    """Pale ink to a quarter of its contrast, behind fog of an uneven grey (noise of several scales)."""
    haze = rng.uniform(0.25, 0.75) + sum(
        strength * (to_side @ rng.uniform(-1, 1, (side, side)) @ to_side.T)
        for side, strength in _FOG
        for to_side in (_stretching(side),)
    )
    foggy: Image = np.clip(0.25 * image + 0.75 * _WHITE * haze, 0, _WHITE).astype(np.uint8)
    return foggy


def spatter(image: Image, rng: np.random.Generator) -> Image:
    """Splash blots of dark grey, a quarter of white, over paper and ink; about one pixel in seven is hit."""
    drops = cv2.GaussianBlur(rng.standard_normal(image.shape, np.float32), (0, 0), 1)
    wet = cv2.GaussianBlur((drops > 0).astype(np.float32), (0, 0), 1.5)
    wet[wet < 0.8] = 0
    spattered: Image = (image * (1 - wet) + 63 * wet).astype(np.uint8)
    return spattered


#: Every corruption by its name.
CORRUPTIONS: dict[str, Corruption] = {
    "shear": shear,
    "scale": scale,
    "rotate": rotate,
    "translate": translate,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zigzag": zigzag,
    "dotted_line": dotted_line,
    "brightness": brightness,
    "stripe": stripe,
    "fog": fog,
    "spatter": spatter,
}


def corrupt(images: Image, name: str, seed: int) -> Image:
    """Spoil digits by one corruption.

    Args:
        images: uint8, (n, 28, 28), ink bright on 0, not prepared.
        name: one of `CORRUPTIONS`.
        seed: the same seed spoils the same way; corruptions draw apart from one another.

    Returns:
        uint8, (n, 28, 28), a new array.

    Raises:
        KeyError: there is no such corruption.
    """
    spoil = CORRUPTIONS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    spoilt = np.empty_like(images)
    for index, image in enumerate(images):
        spoilt[index] = spoil(image, rng)
    return spoilt


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _moved(image: Image, matrix: NDArray[np.float64]) -> Image:
    moved: Image = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return moved


def _added(image: Image, light: Image) -> Image:
    """Add light; white stays white."""
    added: Image = cv2.add(image, light)
    return added


@cache
def _smear(degrees: int) -> NDArray[np.float32]:
    """Make the kernel of a smear, float32, (13, 9), its sum 1; its anchor is the middle of the left side."""
    steps = np.arange(0, _SMEAR, 0.25)
    columns = np.rint(steps * np.cos(np.deg2rad(degrees))).astype(np.intp)
    rows = np.rint(steps * np.sin(np.deg2rad(degrees))).astype(np.intp)
    kernel = np.zeros((13, _SMEAR + 1))
    np.add.at(kernel, (6 + rows, columns), np.exp(-((steps / 3) ** 2) / 2))
    weights: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return weights


@cache
def _stretching(side: int) -> NDArray[np.float64]:
    """Make the matrix, (28, side), that stretches values at `side` even places over 28, straight between them."""
    at = np.linspace(0, side - 1, SIDE)[:, np.newaxis]
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(at - np.arange(side)))
    return weights
