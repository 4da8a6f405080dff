"""Large pictures cost little, and too large ones nothing."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from classifier.images import decode
from core.vocabulary import Reason
from tests.classifier.pictures import MAX_PIXELS, chunk, reason_of, saved, with_orientation
from tests.environment import ROOT

#: Decodes the file it is given and prints by how many KiB the most memory that it ever had has grown. The peak is the
#: kernel's of this program alone: what `getrusage` tells is inherited from the process that started it.
_GROWTH = """
import re, sys
from pathlib import Path
from classifier.images import decode
from core.errors import ImageRejected
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
tiny, huge = (Path(path).read_bytes() for path in sys.argv[1:3])
decode(tiny, max_pixels=100)
before = peak()
try:
    decode(huge, max_pixels=int(sys.argv[3]))
except ImageRejected as rejected:
    print(rejected.reason.value)
print(peak() - before)
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes, int], list[str]]:
    """What a process of its own prints that decodes a file, so that no other test has filled its memory before."""
    folder = tmp_path_factory.mktemp("huge")

    def measure(data: bytes, max_pixels: int) -> list[str]:
        (folder / "tiny").write_bytes(saved(PIL.Image.new("L", (8, 8)), "PNG"))
        (folder / "huge").write_bytes(data)
        command = [sys.executable, "-c", _GROWTH, str(folder / "tiny"), str(folder / "huge"), str(max_pixels)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    return measure


def white_png(side: int) -> bytes:
    """A square PNG of one bit a pixel, whole and without a mistake."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (side // 8)
    content = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_a_huge_png_is_rejected_before_anything_is_allocated(grown: Callable[[bytes, int], list[str]]) -> None:
    data = white_png(50_000)
    assert len(data) < 1_000_000
    reason, growth = grown(data, MAX_PIXELS)
    assert reason == Reason.TOO_LARGE.value
    assert int(growth) < 50 * 1024


def test_memory_does_grow_where_so_many_pixels_are_allowed(grown: Callable[[bytes, int], list[str]]) -> None:
    (growth,) = grown(white_png(10_000), MAX_PIXELS)
    assert int(growth) > 90 * 1024


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_kind_is_held_to_the_number_of_pixels(kind: str) -> None:
    data = saved(PIL.Image.new("L", (100, 50)), kind)
    assert decode(data, max_pixels=5000).shape[:2] == (50, 100)
    assert reason_of(data, max_pixels=4999) is Reason.TOO_LARGE


def photographed(shape: tuple[int, int]) -> PIL.Image.Image:
    """A large picture whose every quarter has another colour."""
    height, width = shape
    quarters = PIL.Image.new("RGB", (2, 2))
    for at, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), QUARTERS, strict=True):
        quarters.putpixel(at, colour)
    return quarters.resize((width, height), PIL.Image.Resampling.NEAREST)


QUARTERS = ((200, 40, 30), (40, 180, 60), (30, 60, 190), (225, 220, 215))
#: Orientation of EXIF: which quarter of the file is seen at the upper left, upper right, lower left, lower right.
SEEN = {1: "0123", 2: "1032", 3: "3210", 4: "2301", 5: "0213", 6: "2031", 7: "3120", 8: "1302"}


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((1500, 1999), (1500, 1999)),
        ((1500, 2000), (750, 1000)),
        ((3024, 4032), (756, 1008)),
        ((3999, 3000), (2000, 1500)),
        ((6000, 9001), (750, 1126)),
        ((20, 4000), (5, 1000)),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_large_jpeg_is_decoded_smaller_but_never_below_1000_pixels(
    mode: str, shape: tuple[int, int], wanted: tuple[int, int]
) -> None:
    data = saved(PIL.Image.new(mode, shape[::-1]), "JPEG")
    assert decode(data, max_pixels=MAX_PIXELS).shape == (wanted if mode == "L" else (*wanted, 3))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_large_pictures_keep_their_size(kind: str) -> None:
    assert decode(saved(PIL.Image.new("L", (2400, 40)), kind), max_pixels=MAX_PIXELS).shape[:2] == (40, 2400)


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize(("mode", "progressive"), [("RGB", False), ("RGB", True), ("L", False), ("CMYK", False)])
def test_a_large_jpeg_keeps_its_colours_and_is_turned_as_exif_says(
    mode: str, progressive: bool, orientation: int
) -> None:
    picture = photographed((2000, 3000)).convert(mode)
    decoded = decode(
        saved(picture, "JPEG", exif=with_orientation(orientation), progressive=progressive), max_pixels=MAX_PIXELS
    )
    height, width = (1000, 1500) if orientation <= 4 else (1500, 1000)
    assert decoded.shape[:2] == (height, width)
    colours = [picture.getpixel(at) for at in ((0, 0), (2999, 0), (0, 1999), (2999, 1999))]
    if mode == "CMYK":
        colours = list(QUARTERS)
    for quarter, (y, x) in zip(SEEN[orientation], ((1, 1), (1, 3), (3, 1), (3, 3)), strict=True):
        found = decoded[y * height // 4, x * width // 4]
        assert np.abs(np.array(colours[int(quarter)]).reshape(-1)[::-1] - found).max() <= 6


def test_a_large_jpeg_is_held_to_the_pixels_that_its_file_has() -> None:
    data = saved(PIL.Image.new("L", (4000, 100)), "JPEG")
    assert decode(data, max_pixels=400_000).shape == (25, 1000)
    assert reason_of(data, max_pixels=399_999) is Reason.TOO_LARGE


@pytest.mark.parametrize("percent", range(5, 100, 5))
def test_a_large_jpeg_cut_short_is_truncated(percent: int) -> None:
    whole = saved(photographed((2000, 3000)), "JPEG")
    assert reason_of(whole[: len(whole) * percent // 100]) is Reason.TRUNCATED
