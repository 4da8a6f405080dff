"""Decoding goes by the bytes, and gives the picture a person sees."""

from __future__ import annotations

import cv2
import numpy as np
import PIL.Image
import pytest

from classifier.images import decode
from classifier.preprocess import Image
from tests.classifier.pictures import MAX_PIXELS, TURNS, in_rgb, saved, with_orientation
from training.dataset import Digits


def test_grey_png_comes_out_pixel_by_pixel(digits: Digits) -> None:
    for image in digits.images[:20]:
        data = cv2.imencode(".png", image)[1].tobytes()
        decoded = decode(data, max_pixels=MAX_PIXELS)
        assert decoded.dtype == np.uint8
        assert np.array_equal(decoded, image)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_colour_comes_out_pixel_by_pixel_in_bgr(kind: str, options: dict[str, object], colours: Image) -> None:
    assert np.array_equal(decode(saved(in_rgb(colours), kind, **options), max_pixels=MAX_PIXELS), colours)


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95}), ("GIF", {}), ("TIFF", {})]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_kind_comes_out_about_right(kind: str, options: dict[str, object], mode: str, colours: Image) -> None:
    picture = in_rgb(colours).convert(mode)
    decoded = decode(saved(picture, kind, **options), max_pixels=MAX_PIXELS)
    wanted = np.asarray(picture.convert("RGB"))[..., ::-1].astype(int)
    shown = (decoded if decoded.ndim == 3 else decoded[..., np.newaxis]).astype(int)
    assert np.abs(shown - wanted).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_picture_is_turned_as_exif_says(kind: str, orientation: int, colours: Image) -> None:
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(saved(in_rgb(colours), kind, exif=with_orientation(orientation), **options), max_pixels=MAX_PIXELS)
    wanted = TURNS[orientation](colours)
    assert decoded.shape == wanted.shape
    assert np.abs(decoded.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_black_ink_on_nothing_is_laid_onto_white(kind: str) -> None:
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[3:7, 3:7, 3] = 255
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(saved(PIL.Image.fromarray(pixels), kind, **options), max_pixels=MAX_PIXELS)
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert decoded[5, 5].tolist() == [0, 0, 0]


def test_grey_with_half_transparent_ink_is_half_as_dark() -> None:
    pixels = np.zeros((4, 4, 2), np.uint8)
    pixels[..., 1] = 128
    decoded = decode(saved(PIL.Image.fromarray(pixels, "LA"), "PNG"), max_pixels=MAX_PIXELS)
    assert abs(int(decoded.flat[0]) - 127) <= 1


def test_a_transparent_palette_colour_is_white() -> None:
    picture = PIL.Image.new("P", (6, 6), 0)
    picture.putpalette([0, 0, 0, 200, 30, 30])
    picture.putpixel((2, 3), 1)
    for kind in ("PNG", "GIF"):
        decoded = decode(saved(picture, kind, transparency=0), max_pixels=MAX_PIXELS)
        assert decoded[0, 0].tolist() == [255, 255, 255]
        assert decoded[3, 2].tolist() == [30, 30, 200]


def test_a_palette_without_transparency_shows_its_colours() -> None:
    picture = PIL.Image.new("P", (6, 6), 1)
    picture.putpalette([0, 0, 0, 200, 30, 60])
    decoded = decode(saved(picture, "PNG"), max_pixels=MAX_PIXELS)
    assert decoded[0, 0].tolist() == [60, 30, 200]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_reduced_to_eight(kind: str) -> None:
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    decoded = decode(saved(PIL.Image.fromarray(deep), kind), max_pixels=MAX_PIXELS)
    assert np.array_equal(decoded, np.arange(256, dtype=np.uint8).reshape(16, 16))


def test_black_and_white_of_one_bit_becomes_0_and_255() -> None:
    bits = np.eye(16, dtype=bool)
    for kind in ("PNG", "TIFF", "BMP"):
        decoded = decode(saved(PIL.Image.fromarray(bits), kind), max_pixels=MAX_PIXELS)
        assert np.array_equal(decoded if decoded.ndim == 2 else decoded[..., 0], bits * np.uint8(255))


def test_cmyk_shows_its_colours() -> None:
    picture = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        blue, green, red = decode(saved(picture, kind), max_pixels=MAX_PIXELS)[8, 8]
        assert red > 200
        assert green < 60
        assert blue < 60


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_taken(kind: str) -> None:
    first, second = PIL.Image.new("RGB", (8, 8), (250, 0, 0)), PIL.Image.new("RGB", (8, 8), (0, 0, 250))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(first, kind, save_all=True, append_images=[second], **options)
    assert decode(data, max_pixels=MAX_PIXELS)[4, 4].tolist() == [0, 0, 250]


def test_bytes_after_the_end_do_no_harm(digits: Digits) -> None:
    for extension in (".png", ".jpg"):
        data = cv2.imencode(extension, digits.images[0])[1].tobytes()
        assert np.array_equal(
            decode(data + b"trailing bytes", max_pixels=MAX_PIXELS), decode(data, max_pixels=MAX_PIXELS)
        )
