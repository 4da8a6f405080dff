"""The files that fuzzing starts from: one small picture in every form that decoders know."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from classifier.preprocess import Image

#: Side of the picture, in pixels; small files are tried more often.
SIDE = 24
#: Passes of an interlaced PNG (Adam7): first row and column, distance of rows and columns.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def seeds() -> dict[str, bytes]:
    """Make the files, by a name that says what each is."""
    return dict(_files())


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def digit() -> Image:
    """A seven in dark ink on light paper: uint8, (24, 24)."""
    page = np.full((SIDE, SIDE), 230, np.uint8)
    stroke = np.array([[5, 5], [18, 5], [10, 20]], np.int32)
    drawn: Image = cv2.polylines(page, [stroke], isClosed=False, color=30, thickness=2)
    return drawn


def _files() -> Iterator[tuple[str, bytes]]:
    grey = PIL.Image.fromarray(digit())
    colour = grey.convert("RGB")
    clear = colour.copy()
    clear.putalpha(PIL.Image.fromarray(255 - digit()))
    palette = colour.quantize(8)
    yield from _jpegs(grey, colour)
    yield from _pngs(grey, clear, palette)
    yield from _tiffs(grey, colour, clear, palette)
    for mode, picture in (("grey", grey), ("colour", colour), ("palette", palette), ("bits", grey.convert("1"))):
        yield f"{mode}.bmp", _saved(picture, "BMP")
    yield "clear.bmp", _saved(clear, "BMP")
    yield "colour.webp", _saved(colour, "WEBP", quality=80)
    yield "lossless.webp", _saved(colour, "WEBP", lossless=True)
    yield "clear.webp", _saved(clear, "WEBP", quality=80)
    yield "moving.webp", _saved(colour, "WEBP", save_all=True, append_images=[clear])
    yield "palette.gif", _saved(palette, "GIF")
    yield "straight.gif", _saved(palette, "GIF", interlace=0)
    yield "clear.gif", _saved(palette, "GIF", transparency=0)
    yield "moving.gif", _saved(palette, "GIF", save_all=True, append_images=[grey, colour])


def _jpegs(grey: PIL.Image.Image, colour: PIL.Image.Image) -> Iterator[tuple[str, bytes]]:
    yield "grey.jpg", _saved(grey, "JPEG")
    yield "colour.jpg", _saved(colour, "JPEG")
    yield "progressive.jpg", _saved(colour, "JPEG", progressive=True, subsampling=0)
    yield "restarts.jpg", _saved(colour, "JPEG", restart_marker_blocks=1)
    yield "cmyk.jpg", _saved(colour.convert("CMYK"), "JPEG")
    for orientation in range(1, 9):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        yield f"turned-{orientation}.jpg", _saved(grey, "JPEG", exif=exif)


def _pngs(grey: PIL.Image.Image, clear: PIL.Image.Image, palette: PIL.Image.Image) -> Iterator[tuple[str, bytes]]:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    yield "grey.png", _saved(grey, "PNG")
    yield "bits.png", _saved(grey.convert("1"), "PNG")
    yield "palette.png", _saved(palette, "PNG", bits=4)
    yield "clear-palette.png", _saved(palette, "PNG", transparency=0)
    yield "clear-grey.png", _saved(grey, "PNG", transparency=230)
    yield "clear.png", _saved(clear, "PNG")
    yield "clear-la.png", _saved(clear.convert("LA"), "PNG")
    yield "turned.png", _saved(clear, "PNG", exif=exif)
    yield "moving.png", _saved(grey, "PNG", save_all=True, append_images=[palette.convert("L")])
    yield "interlaced.png", _interlaced(np.asarray(grey))
    deep = np.asarray(clear).astype(np.uint16) * 16
    for name, samples in (("grey", deep[..., 0]), ("colour", deep[..., :3]), ("clear", deep)):
        yield f"deep-{name}.png", _encoded(".png", samples)


def _tiffs(
    grey: PIL.Image.Image, colour: PIL.Image.Image, clear: PIL.Image.Image, palette: PIL.Image.Image
) -> Iterator[tuple[str, bytes]]:
    for name, picture in (("grey", grey), ("colour", colour), ("clear", clear), ("palette", palette)):
        yield f"{name}.tiff", _saved(picture, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{compression}.tiff", _saved(colour, "TIFF", compression=compression)
    yield "group4.tiff", _saved(grey.convert("1"), "TIFF", compression="group4")
    yield "cmyk.tiff", _saved(colour.convert("CMYK"), "TIFF")
    yield "big.tiff", _saved(grey, "TIFF", big_tiff=True)
    yield "pages.tiff", _saved(grey, "TIFF", save_all=True, append_images=[colour])
    deep = np.asarray(clear).astype(np.uint16) * 16
    yield "deep.tiff", _saved(PIL.Image.fromarray(deep[..., 0]), "TIFF")
    yield "deep-colour.tiff", _encoded(".tiff", deep[..., :3])


def _interlaced(grey: Image) -> bytes:
    rows = b""
    for top, left, down, along in _ADAM7:
        rows += b"".join(b"\0" + row.tobytes() for row in grey[top::down, left::along])
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 1)
    return _SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _saved(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _encoded(extension: str, samples: NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode(extension, np.ascontiguousarray(samples))[1])
