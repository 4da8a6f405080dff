"""Decoding goes by the bytes, gives the picture a person sees, and never half of one."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import PIL.Image
import pytest

from classifier.images import decode
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason
from training.dataset import Digits

MAX_PIXELS = 100_000_000


def saved(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file of Pillow's."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def reason_of(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Reason:
    """Why data is rejected."""
    with pytest.raises(ImageRejected) as rejected:
        decode(data, max_pixels=max_pixels)
    assert str(rejected.value).endswith(".")
    return rejected.value.reason


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def in_rgb(picture: Image) -> PIL.Image.Image:
    """A BGR array as Pillow takes it."""
    return PIL.Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))


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
    turns: dict[int, Callable[[Image], Image]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90,
    }
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(saved(in_rgb(colours), kind, exif=exif, **options), max_pixels=MAX_PIXELS)
    wanted = turns[orientation](colours)
    assert decoded.shape == wanted.shape
    assert np.abs(decoded.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_onto_white(kind: str) -> None:
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


def test_the_bytes_decide_not_a_name() -> None:
    assert reason_of(b"this is not a picture, whatever it is called") is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("percent", range(5, 100, 5))
@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("size", [28, 200])
def test_a_file_cut_short_is_rejected_as_truncated(percent: int, extension: str, size: int, digits: Digits) -> None:
    whole = cv2.imencode(extension, cv2.resize(digits.images[0], (size, size)))[1].tobytes()
    assert reason_of(whole[: len(whole) * percent // 100]) is Reason.TRUNCATED


def test_a_file_that_lacks_its_last_byte_only_is_truncated(digits: Digits) -> None:
    for extension in (".png", ".jpg", ".webp"):
        assert reason_of(cv2.imencode(extension, digits.images[0])[1].tobytes()[:-1]) is Reason.TRUNCATED


def test_a_jpeg_cut_after_its_thumbnail_is_truncated(colours: Image) -> None:
    thumbnail = saved(in_rgb(colours), "JPEG")
    whole = saved(in_rgb(colours), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    with_thumbnail = whole[:2] + segment + whole[2:]
    assert decode(with_thumbnail, max_pixels=MAX_PIXELS).shape == colours.shape
    assert reason_of(with_thumbnail[:-30]) is Reason.TRUNCATED


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP"])
def test_other_kinds_cut_in_half_are_never_decoded(kind: str) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8)
    whole = saved(PIL.Image.fromarray(noise), kind)
    assert reason_of(whole[: len(whole) // 2]) in (Reason.TRUNCATED, Reason.UNREADABLE)


def test_bytes_after_the_end_do_no_harm(digits: Digits) -> None:
    for extension in (".png", ".jpg"):
        data = cv2.imencode(extension, digits.images[0])[1].tobytes()
        assert np.array_equal(
            decode(data + b"trailing bytes", max_pixels=MAX_PIXELS), decode(data, max_pixels=MAX_PIXELS)
        )


def test_a_png_with_a_flipped_bit_is_unreadable(digits: Digits) -> None:
    data = bytearray(cv2.imencode(".png", digits.images[0])[1].tobytes())
    data[len(data) // 2] ^= 1
    assert reason_of(bytes(data)) is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "AVIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg/>", "SVG"),
        (b"\x76\x2f\x31\x01\x02\x00\x00\x00", "OpenEXR"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\x00\x2f", "JPEG 2000"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"#?RADIANCE\n", "Radiance"),
    ],
)
def test_known_kinds_that_are_not_read_are_refused_by_name(data: bytes, named: str) -> None:
    with pytest.raises(ImageRejected, match=named) as rejected:
        decode(data, max_pixels=MAX_PIXELS)
    assert rejected.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "data", [b"x", b"\x00" * 100, b"RIFF\x10\x00\x00\x00WAVEfmt ", b"PK\x03\x04", b"<html></html>"]
)
def test_what_is_no_image_is_said_to_be_none(data: bytes) -> None:
    assert reason_of(data) is Reason.NOT_AN_IMAGE


def test_a_huge_png_is_rejected_before_anything_is_allocated() -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    content = zlib.compress(bytes(1 << 20), 9)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reason_of(data) is Reason.TOO_LARGE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_kind_is_held_to_the_number_of_pixels(kind: str) -> None:
    data = saved(PIL.Image.new("L", (100, 50)), kind)
    assert decode(data, max_pixels=5000).shape[:2] == (50, 100)
    assert reason_of(data, max_pixels=4999) is Reason.TOO_LARGE


def test_an_image_without_pixels_is_unreadable() -> None:
    header = struct.pack(">IIBBBBB", 0, 5, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    assert reason_of(data) is Reason.UNREADABLE


def test_random_bytes_after_every_magic_are_rejected_and_nothing_worse() -> None:
    rng = np.random.default_rng(3)
    magics = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"II*\x00",
        b"MM\x00*",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBP",
    ]
    for magic in magics:
        for _ in range(50):
            with pytest.raises(ImageRejected):
                decode(magic + rng.bytes(200), max_pixels=10_000)
