"""Bring what a decoder gives into grey or BGR of 8 bits: deep samples scaled, transparency laid onto paper."""

from __future__ import annotations

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from classifier.formats import unsupported
from classifier.preprocess import Image

#: Fewest bits that samples of 16 bits are taken to use.
MIN_BITS = 8
#: Grey level from which the visible pixels of a transparent picture count as light.
LIGHT = 128
#: Least difference between the two levels of a page, in grey levels; visible pixels that differ less are all ink.
PAGE_CONTRAST = 40
#: Least share of a page's rim that shows the same of its two levels, which is its paper.
RIM_SHARE = 0.8
#: Share of its box that a page fills at least.
PAGE_FILL = 0.5
#: Share of the visible pixels from which a second level is no speck in a stroke but a stroke in a halo.
INK_SHARE = 0.2
#: About as many rows and columns of a transparent picture are looked at to choose its paper.
SAMPLED = 1000

#: What Pillow's decoders give that has a colour or a grey level of 8 bits for every pixel.
_READ = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)


def to_array(picture: PIL.Image.Image) -> Image:
    """Make an array of a decoded picture.

    Returns:
        uint8, (height, width) grey or (height, width, 3) BGR.

    Raises:
        ImageRejected: `unsupported`, its samples are not of 8 or 16 bits, or its colours are of no kind that is read.
    """
    if picture.mode.startswith("I;16"):
        return narrow(np.asarray(picture).astype(np.uint16))
    if picture.mode in ("I", "F"):
        raise unsupported("The image has 32 bits a pixel, or samples with a sign", "with 8 or 16 bits")
    if picture.mode not in _READ:
        raise unsupported(f"The image has {picture.mode} colours", "as grey or RGB")
    if picture.has_transparency_data:
        return onto_paper(cv2.cvtColor(np.asarray(picture.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
    if picture.mode in ("1", "L"):
        return np.array(picture.convert("L"))
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[..., ::-1])


def narrow(deep: NDArray[np.uint16]) -> Image:
    """Reduce samples of 16 bits to 8.

    Cameras and scanners write their 10, 12 or 14 bits into files of 16 and leave the upper bits empty. White is therefore
    what the fewest bits that hold every sample can hold, and never less than 8 bits can.

    Args:
        deep: (height, width) or (height, width, 3).

    Returns:
        uint8, of the same shape.
    """
    bits = max(int(deep.max(initial=0)).bit_length(), MIN_BITS)
    return np.asarray(cv2.convertScaleAbs(deep, alpha=255 / (2**bits - 1)), np.uint8)


def narrow_with_alpha(deep: NDArray[np.uint16]) -> Image:
    """Reduce samples of 16 bits to 8, and lay what is transparent onto paper.

    Args:
        deep: (height, width) grey, (height, width, 3) BGR or (height, width, 4) BGRA.

    Returns:
        uint8, (height, width) or (height, width, 3).
    """
    if deep.ndim < 3 or deep.shape[2] < 4:
        return narrow(deep)
    # Opacity is of all bits also where colours are not.
    return onto_paper(np.dstack((narrow(deep[..., :3]), narrow(deep[..., 3]))))


def onto_paper(picture: Image) -> Image:
    """Lay a transparent picture onto the paper that its ink stands out from.

    Args:
        picture: uint8, (height, width, 4) BGRA.

    Returns:
        uint8, (height, width, 3) BGR.
    """
    colours, alpha = np.ascontiguousarray(picture[..., :3]), np.ascontiguousarray(picture[..., 3])
    opacity = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    paper = np.empty_like(colours)
    paper[...] = paper_for(picture)
    seen = cv2.multiply(colours, opacity, scale=1 / 255)
    shown: Image = cv2.add(seen, cv2.multiply(paper, cv2.bitwise_not(opacity), scale=1 / 255))
    return shown


def paper_for(picture: Image) -> tuple[int, int, int]:
    """Choose the paper that shows a transparent picture best.

    Ink on a transparent ground stands out from the end of the scale that is farther from it: white where the mean of the
    grey levels, weighted by opacity, is dark, black where it is light. A page that was cut out or turned, and ink with a
    halo, bring a paper of their own, and are laid onto it, so that its edge is not taken for a stroke.

    Args:
        picture: uint8, (height, width, 4) BGRA.

    Returns:
        A colour as BGR, 0 to 255.
    """
    step = 1 + max(picture.shape) // SAMPLED
    some = np.ascontiguousarray(picture[::step, ::step])
    grey, alpha = cv2.cvtColor(some, cv2.COLOR_BGRA2GRAY), some[..., 3]
    if not alpha.any():
        return _WHITE
    rim = _rim_of_page(grey, alpha)
    if rim is not None:
        blue, green, red = np.median(some[rim][:, :3], axis=0)
        return round(blue), round(green), round(red)
    return _WHITE if np.average(grey, weights=alpha) < LIGHT else _BLACK


def _rim_of_page(grey: Image, alpha: Image) -> NDArray[np.bool_] | None:
    """Find the visible pixels beside transparent ones where they are paper; None where they are ink.

    They are paper where the visible pixels have two levels (Otsu 1979), the rim shows but one of them, and the other is
    no speck in a stroke: it is a good part of what can be seen, or what can be seen is wide as a page.
    """
    visible = (alpha >= (int(alpha.max()) + 1) // 2).astype(np.uint8)
    rim = (visible & ~cv2.erode(visible, np.ones((3, 3), np.uint8))).astype(bool)
    if not rim.any():
        return None
    levels = grey[visible.astype(bool)]
    threshold, _ = cv2.threshold(levels.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    light = levels > threshold
    if light.all() or not light.any() or levels[light].mean() - levels[~light].mean() < PAGE_CONTRAST:
        return None
    rim_is_light, is_light = float((grey[rim] > threshold).mean()), float(light.mean())
    if 1 - RIM_SHARE < rim_is_light < RIM_SHARE:
        return None
    other = 1 - is_light if rim_is_light >= RIM_SHARE else is_light
    _, _, width, height = cv2.boundingRect(visible)
    is_wide = len(levels) >= PAGE_FILL * width * height
    return rim if is_wide or other >= INK_SHARE else None
