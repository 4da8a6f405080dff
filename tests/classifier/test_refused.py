"""What cannot be decoded whole is refused by name, and half a picture is never taken for one."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import PIL.Image
import pytest

from classifier.images import decode
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.pictures import MAX_PIXELS, chunk, in_rgb, reason_of, saved
from training.dataset import Digits


def test_the_bytes_decide_not_a_name() -> None:
    assert reason_of(b"this is not a picture, whatever it is called") is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("percent", range(5, 100, 5))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "LA"])
@pytest.mark.parametrize("size", [28, 200])
def test_a_file_cut_short_is_rejected_as_truncated(
    percent: int, kind: str, mode: str, size: int, digits: Digits
) -> None:
    mode = {"PNG": {"CMYK": "P"}, "JPEG": {"LA": "L"}}[kind].get(mode, mode)
    picture = PIL.Image.fromarray(cv2.resize(digits.images[0], (size, size))).convert(mode)
    whole = saved(picture, kind, **({"progressive": True} if kind == "JPEG" else {}))
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
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"P5\n28 28\n255\n", "Netpbm"),
        (b"\xff\x0a\x00\x00", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x00", "raw picture of a Canon"),
        (bytes(128) + b"DICM\x02\x00", "DICOM"),
        (b"<!-- drawn --><svg/>", "SVG"),
        (b"\x00\x00\x01\x00\x01\x00", "icon"),
    ],
)
def test_known_kinds_that_are_not_read_are_refused_by_name(data: bytes, named: str) -> None:
    with pytest.raises(ImageRejected, match=f"{named}.*, which is not read; save it as a PNG or JPEG.$") as rejected:
        decode(data, max_pixels=MAX_PIXELS)
    assert rejected.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "data", [b"x", b"\x00" * 100, b"RIFF\x10\x00\x00\x00WAVEfmt ", b"PK\x03\x04", b"<html></html>"]
)
def test_what_is_no_image_is_said_to_be_none(data: bytes) -> None:
    assert reason_of(data) is Reason.NOT_AN_IMAGE


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
