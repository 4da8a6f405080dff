"""What light, lens, sensor and file format do to a page."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchmarks.pictures.ink import Picture, Rng
from benchmarks.pictures.paper import Colour, Page, texture_of, thrice

#: float32, (height, width): how much light falls on each place, 1 where nothing is in its way.
Light = NDArray[np.float32]

#: Tag of EXIF that says how the camera was held.
_ORIENTATION = 0x0112


def lit(page: Page, light: Light) -> Page:
    """Let light fall on a page."""
    return page * thrice(light)


def tinted(page: Page, colour: Colour) -> Page:
    """Under light of a colour."""
    coloured: Page = cv2.merge(
        [channel * np.float32(level) for channel, level in zip(cv2.split(page), colour, strict=True)]
    )
    return coloured


def grid(shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows and columns from -1 to 1, as (height, 1) and (1, width)."""
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[np.newaxis]
    return rows, columns


def vignette(shape: tuple[int, int], depth: float) -> Light:
    """Corners darker than the middle."""
    rows, columns = grid(shape)
    return (1 - depth * (rows**2 + columns**2) / 2).astype(np.float32)


def lamp(shape: tuple[int, int], rng: Rng, depth: float) -> Light:
    """The light of a lamp at one side, which falls off with the distance."""
    rows, columns = grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    away = np.hypot(rows - 1.4 * np.sin(angle), columns - 1.4 * np.cos(angle))
    light: Light = (1 - depth * np.clip(away / 2.6, 0, 1)).astype(np.float32)
    return light


def half_shadow(shape: tuple[int, int], rng: Rng, *, depth: float, soft: float) -> Light:
    """The shadow of something with a straight edge; `soft` is the width of the edge, the picture is 2 wide."""
    rows, columns = grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    across = rows * np.sin(angle) + columns * np.cos(angle) + rng.uniform(-0.5, 0.5)
    light: Light = (1 - depth / (1 + np.exp(-np.clip(across * 4 / soft, -30, 30)))).astype(np.float32)
    return light


def hand_shadow(shape: tuple[int, int], rng: Rng, *, depth: float) -> Light:
    """The shadow of a hand that holds a phone: a palm at one side and fingers that reach in."""
    side = 96
    shade = np.zeros((side, side), np.uint8)
    x, y = side * rng.uniform(0.1, 0.9), side * rng.uniform(0.9, 1.1)
    cv2.ellipse(shade, (round(x), round(y)), (30, 26), float(rng.uniform(-20, 20)), 0, 360, 255, -1)
    for finger in range(4):
        angle = -np.pi / 2 + (finger - 1.5) * 0.3 + rng.uniform(-0.1, 0.1)
        tip = np.array([x, y]) + rng.uniform(45, 68) * np.array([np.cos(angle), np.sin(angle)])
        root = np.array([x, y]) + 20 * np.array([np.cos(angle + 0.05), np.sin(angle)])
        cv2.line(shade, np.rint(root).astype(int).tolist(), np.rint(tip).astype(int).tolist(), 255, 11)
    shade = np.ascontiguousarray(np.rot90(shade, int(rng.integers(0, 4))))
    soft = cv2.GaussianBlur(shade.astype(np.float32) / 255, (0, 0), rng.uniform(1.5, 4))
    light: Light = (1 - depth * cv2.resize(soft, shape[::-1], interpolation=cv2.INTER_LINEAR)).astype(np.float32)
    return light


def askew(page: Page, rng: Rng, *, tilt: float) -> Page:
    """A page seen from aside: each corner moved by up to `tilt` of the sides, and nothing but paper around it."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + (rng.uniform(-tilt, tilt, (4, 2)) * (width, height)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    turned: Page = cv2.warpPerspective(page, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return turned


def defocused(page: Page, radius: float) -> Page:
    """Out of focus: every point becomes a disc, its radius in pixels."""
    reach = int(np.ceil(radius))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    blurred: Page = cv2.filter2D(page, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE)
    return blurred


def smeared(page: Page, length: float, angle: float) -> Page:
    """The camera moved by `length` pixels while it looked, at an angle in radians."""
    reach = max(1, int(np.ceil(length / 2)))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = np.rint((reach + np.stack([-step, step])) * 16).astype(int).tolist()
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32)
    blurred: Page = cv2.filter2D(page, -1, weights / weights.sum(), borderType=cv2.BORDER_REPLICATE)
    return blurred


def noisy(page: Page, rng: Rng, *, amount: float, colour: float = 0.5, blotch: float = 0.0) -> Page:
    """Noise of a sensor.

    Args:
        page: the page.
        rng: the chance.
        amount: standard deviation, as a share of white.
        colour: how much of it differs from channel to channel, 0 to 1.
        blotch: standard deviation of the spots that a phone's noise reduction leaves.
    """
    shape = page.shape[0], page.shape[1]
    common = (1 - colour) * amount * texture_of(shape, rng, 0.5)
    if blotch:
        common = common + blotch * texture_of(shape, rng, 3.0)
    noised: Page = page + cv2.merge([common + colour * amount * texture_of(shape, rng, 0.5) for _ in range(3)])
    return noised


def moire(shape: tuple[int, int], rng: Rng, *, depth: float) -> Page:
    """Bands that the pixels of a screen and those of a camera make together; factors, (height, width, 3)."""
    rows, columns = (axis * side / 2 for axis, side in zip(grid(shape), shape, strict=True))
    bands = [np.ones(shape, np.float32) for _ in range(3)]
    for _ in range(2):
        pitch, angle, phase = rng.uniform(3, 14), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        bend = 0.15 * np.sin(rows / rng.uniform(30, 90)) + 0.15 * np.sin(columns / rng.uniform(30, 90))
        wave = 2 * np.pi * (rows * np.sin(angle) + columns * np.cos(angle)) / pitch + 6 * bend + phase
        bands = [band * (1 + depth * np.sin(wave + shift)) for band, shift in zip(bands, (0.0, 2.1, 4.2), strict=True)]
    factors: Page = cv2.merge(bands)
    return factors


def jpeg(picture: Picture, quality: int) -> bytes:
    """Encode as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def png(picture: Picture) -> bytes:
    """Encode as PNG, quickly."""
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def bilevel_png(picture: Picture) -> bytes:
    """Encode as PNG of one bit a pixel."""
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()


def sideways_jpeg(picture: Picture, turns: int) -> bytes:
    """Encode a picture as a phone held sideways does: turned by quarters, and a note in EXIF how to turn it back."""
    turned = np.ascontiguousarray(np.rot90(picture, turns)[..., ::-1])
    exif = PIL.Image.Exif()
    exif[_ORIENTATION] = (1, 6, 3, 8)[turns]
    file = io.BytesIO()
    PIL.Image.fromarray(turned).save(file, "JPEG", quality=85, exif=exif)
    return file.getvalue()
