"""Ink can be seen, whatever it lies on and however many bits it has."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from classifier.images import decode
from classifier.pixels import narrow, paper_for
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.pictures import MAX_PIXELS, TURNS, chunk, saved, with_orientation
from training.dataset import Digits

Ink = tuple[int, int, int]
BLACK, BLUE, YELLOW, WHITE = (0, 0, 0), (30, 40, 160), (250, 240, 60), (255, 255, 255)


@pytest.fixture
def ink(digits: Digits) -> Image:
    """How much ink there is on every pixel of a digit: uint8, (60, 60)."""
    return np.pad(cv2.resize(digits.images[0], (56, 56), interpolation=cv2.INTER_LINEAR), 2)


def on_nothing(ink: Image, colour: Ink) -> PIL.Image.Image:
    """Ink of one colour on a transparent ground."""
    picture = PIL.Image.new("RGB", ink.shape[::-1], colour)
    picture.putalpha(PIL.Image.fromarray(ink))
    return picture


def on_sheet(ink: Image, colour: Ink, sheet: Ink) -> Image:
    """Ink of one colour on a sheet of another: BGR."""
    share = ink[..., np.newaxis] / 255
    page = share * np.array(colour[::-1]) + (1 - share) * np.array(sheet[::-1])
    return page.round().astype(np.uint8)


def shown(picture: PIL.Image.Image, kind: str = "PNG", **options: object) -> Image:
    """A picture saved and decoded, as BGR."""
    if kind == "WEBP":
        options |= {"lossless": True, "exact": True}
    decoded = decode(saved(picture, kind, **options), max_pixels=MAX_PIXELS)
    return cv2.cvtColor(decoded, cv2.COLOR_GRAY2BGR) if decoded.ndim == 2 else decoded


def difference(one: Image, other: Image) -> int:
    """The largest difference between two pictures, in grey levels."""
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("colour", "sheet"), [(BLACK, WHITE), (BLUE, WHITE), (YELLOW, BLACK), (WHITE, BLACK)], ids=str)
def test_ink_on_nothing_is_laid_onto_what_it_stands_out_from(kind: str, colour: Ink, sheet: Ink, ink: Image) -> None:
    assert difference(shown(on_nothing(ink, colour), kind), on_sheet(ink, colour, sheet)) <= 1


@pytest.mark.parametrize("level", [0, 60, 127, 128, 190, 255])
def test_ink_that_is_in_the_transparency_alone_can_be_seen_at_every_grey(level: int, ink: Image) -> None:
    decoded = shown(on_nothing(ink, (level,) * 3).convert("LA"))
    assert np.ptp(decoded) >= 127
    assert difference(decoded, on_sheet(ink, (level,) * 3, WHITE if level < 128 else BLACK)) <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
@pytest.mark.parametrize(("colour", "sheet"), [(BLACK, WHITE), (WHITE, BLACK)], ids=str)
def test_the_transparent_colour_of_a_palette_becomes_paper(kind: str, colour: Ink, sheet: Ink, ink: Image) -> None:
    inked = ink > 128
    picture = PIL.Image.fromarray(inked.astype(np.uint8)).convert("P")
    picture.putpalette([*colour, *colour])
    decoded = shown(picture, kind, transparency=0)
    assert difference(decoded, on_sheet(inked * np.uint8(255), colour, sheet)) == 0


def test_the_transparent_grey_of_a_png_becomes_paper(ink: Image) -> None:
    inked = ink > 128
    picture = PIL.Image.fromarray(np.where(inked, np.uint8(250), np.uint8(255)))
    assert np.array_equal(shown(picture, transparency=255)[..., 0], np.where(inked, 250, 0))


def test_colours_that_nobody_sees_decide_nothing(ink: Image) -> None:
    pixels = np.dstack((np.where(ink[..., np.newaxis] > 0, 255, 0).repeat(3, 2), ink)).astype(np.uint8)
    assert difference(shown(PIL.Image.fromarray(pixels)), on_sheet(ink, WHITE, BLACK)) <= 1


@pytest.mark.parametrize(("colour", "sheet"), [(BLACK, (225, 220, 210)), (WHITE, (30, 60, 40))], ids=str)
def test_a_page_that_was_turned_gets_corners_of_its_own_paper(colour: Ink, sheet: Ink, ink: Image) -> None:
    page = PIL.Image.fromarray(np.ascontiguousarray(on_sheet(ink, colour, sheet)[..., ::-1])).convert("RGBA")
    turned = page.rotate(20, resample=PIL.Image.Resampling.BICUBIC, expand=True)
    decoded = shown(turned)
    assert difference(decoded[0, 0], np.array(sheet[::-1])) <= 2
    unpapered = PIL.Image.new("RGBA", turned.size, (*sheet, 255))
    wanted = np.asarray(PIL.Image.alpha_composite(unpapered, turned).convert("RGB"))[..., ::-1]
    assert difference(decoded, wanted) <= 3


def test_a_white_halo_around_black_ink_is_no_ink(ink: Image) -> None:
    halo = cv2.dilate(ink, np.ones((5, 5), np.uint8))
    pixels = np.dstack((np.repeat(255 - ink[..., np.newaxis], 3, axis=2), halo))
    assert difference(shown(PIL.Image.fromarray(pixels)), on_sheet(ink, BLACK, WHITE)) <= 25


def test_light_specks_in_dark_ink_are_no_stroke(ink: Image) -> None:
    light = np.where(cv2.erode(ink, np.ones((3, 3), np.uint8)) > 100, np.uint8(250), np.uint8(0))
    light[np.cumsum(light > 0).reshape(light.shape) > 0.05 * np.count_nonzero(ink)] = 0
    spotted = np.dstack((light, light, light, ink))
    assert light.any()
    assert shown(PIL.Image.fromarray(spotted))[0, 0].tolist() == [255, 255, 255]


def test_an_opaque_picture_with_an_alpha_channel_stays_as_it_is(ink: Image) -> None:
    page = on_sheet(ink, WHITE, (90, 90, 90))
    assert np.array_equal(shown(PIL.Image.fromarray(page[..., ::-1]).convert("RGBA")), page)


def test_a_picture_of_which_nothing_can_be_seen_is_white(ink: Image) -> None:
    assert (shown(on_nothing(np.zeros_like(ink), BLACK)) == 255).all()


def test_the_paper_of_a_large_picture_is_that_of_a_small_one(ink: Image) -> None:
    for colour in (BLACK, WHITE):
        pixels = np.asarray(on_nothing(ink, colour))
        large = cv2.resize(pixels, (3000, 3000), interpolation=cv2.INTER_NEAREST)
        assert paper_for(large) == paper_for(pixels)


@pytest.mark.parametrize("bits", range(8, 17))
def test_white_is_what_the_bits_in_use_can_hold(bits: int) -> None:
    deep = np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16).reshape(16, 16)
    assert difference(narrow(deep), np.arange(256).reshape(16, 16)) <= 1
    assert narrow(deep)[-1, -1] == 255


def test_a_dark_picture_of_16_bits_is_not_taken_for_noise() -> None:
    assert narrow(np.array([[0, 3]], np.uint16)).tolist() == [[0, 3]]
    assert narrow(np.zeros((2, 2), np.uint16)).tolist() == [[0, 0], [0, 0]]


def samples(channels: int) -> NDArray[np.uint16]:
    """A picture with 12 bits in 16: uint16, (16, 16, channels), RGB before alpha, which is opaque."""
    steps = (np.arange(256).reshape(16, 16) * 4095 // 255).astype(np.uint16)
    return np.dstack([steps, steps.T, steps[::-1], np.full_like(steps, 65535)])[..., :channels]


def deep_png(pixels: NDArray[np.uint16], colour: int, *more: bytes) -> bytes:
    """A PNG of 16 bits a sample."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def deep_tiff(pixels: NDArray[np.uint16], *, big_endian: bool, turned: int = 1) -> bytes:
    """An uncompressed TIFF of 16 bits a sample, in either order of bytes."""
    sign, mark, channels = *((">", b"MM") if big_endian else ("<", b"II")), pixels.shape[2]
    content = pixels.astype(f"{sign}u2").tobytes()
    bits_at = 8 + 2 + 11 * 12 + 4
    data_at = bits_at + 2 * channels
    photometric = 2 if channels > 1 else 1
    bits = (258, 3, channels, bits_at if channels > 2 else _short(16, sign))
    tags = [
        (256, 3, 1, _short(pixels.shape[1], sign)), (257, 3, 1, _short(pixels.shape[0], sign)), bits,
        (259, 3, 1, _short(1, sign)), (262, 3, 1, _short(photometric, sign)), (273, 4, 1, data_at),
        (274, 3, 1, _short(turned, sign)), (277, 3, 1, _short(channels, sign)),
        (278, 3, 1, _short(pixels.shape[0], sign)), (279, 4, 1, len(content)), (284, 3, 1, _short(1, sign)),
    ]  # fmt: skip
    folder = b"".join(struct.pack(f"{sign}HHII", *tag) for tag in tags)
    head = mark + struct.pack(f"{sign}HIH", 42, 8, len(tags)) + folder + bytes(4)
    return head + struct.pack(f"{sign}{channels}H", *[16] * channels) + content


def _short(number: int, sign: str) -> int:
    """A number of 16 bits as it lies, to the left, in a field of 32."""
    return number << 16 if sign == ">" else number


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_a_scan_of_12_bits_in_a_png_of_16_is_as_bright_as_one_of_8(colour: int) -> None:
    channels = {0: [0], 2: [0, 1, 2], 4: [0, 3], 6: [0, 1, 2, 3]}[colour]
    decoded = decode(deep_png(samples(4)[..., channels], colour), max_pixels=MAX_PIXELS)
    wanted = narrow(np.ascontiguousarray(samples(3)[..., ::-1])) if colour in (2, 6) else narrow(samples(1)[..., 0])
    if colour == 4:
        wanted = cv2.cvtColor(wanted, cv2.COLOR_GRAY2BGR)
    assert wanted.max() == 255
    assert np.array_equal(decoded, wanted)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_scan_of_12_bits_in_a_tiff_of_16_is_as_bright_as_one_of_8(channels: int, big_endian: bool) -> None:
    decoded = decode(deep_tiff(samples(channels), big_endian=big_endian), max_pixels=MAX_PIXELS)
    wanted = narrow(np.ascontiguousarray(samples(3)[..., ::-1])) if channels == 3 else narrow(samples(1)[..., 0])
    assert np.array_equal(decoded, wanted)


def test_white_ink_of_16_bits_on_nothing_is_laid_onto_black(ink: Image) -> None:
    deep = np.dstack([np.full(ink.shape, 65535), ink.astype(int) * 257]).astype(np.uint16)
    decoded = decode(deep_png(deep, 4), max_pixels=MAX_PIXELS)
    assert difference(decoded, on_sheet(ink, WHITE, BLACK)) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_of_16_bits_is_turned_as_exif_says(kind: str, channels: int, orientation: int) -> None:
    pixels = samples(channels)[:10]
    if kind == "PNG":
        data = deep_png(pixels, 2 if channels == 3 else 0, chunk(b"eXIf", with_orientation(orientation).tobytes()[6:]))
    else:
        data = deep_tiff(pixels, big_endian=True, turned=orientation)
    wanted = narrow(np.ascontiguousarray(pixels[..., ::-1]))
    wanted = TURNS[orientation](wanted if channels == 3 else wanted.reshape(pixels.shape[:2]))
    assert np.array_equal(decode(data, max_pixels=MAX_PIXELS), wanted)


@pytest.mark.parametrize(("mode", "named"), [("I", "32 bits"), ("F", "32 bits"), ("LAB", "LAB colours")])
def test_samples_of_other_kinds_are_refused_with_how_to_mend_it(mode: str, named: str) -> None:
    with pytest.raises(ImageRejected, match=f"{named}.*, which is not read; save it ") as rejected:
        decode(saved(PIL.Image.new(mode, (9, 9)), "TIFF"), max_pixels=MAX_PIXELS)
    assert rejected.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("mixed", "wanted"),
    [((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), BLACK), ((255, 0, 0, 0), (0, 255, 255)), ((0, 255, 0, 0), (255, 0, 255)),
     ((0, 0, 255, 0), (255, 255, 0)), ((0, 0, 0, 128), (127, 127, 127)), ((100, 50, 0, 30), (125, 175, 225))],
)  # fmt: skip
def test_cmyk_has_the_colours_that_its_inks_print(kind: str, mixed: tuple[int, ...], wanted: Ink) -> None:
    decoded = shown(PIL.Image.new("CMYK", (16, 16), mixed), kind, **({"quality": 95} if kind == "JPEG" else {}))
    assert difference(decoded[8, 8], np.array(wanted[::-1])) <= 12
