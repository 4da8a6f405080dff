"""Know an image file by its first bytes: its kind, its size, and whether all of it is there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from core.errors import ImageRejected
from core.vocabulary import Reason

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
#: Bytes of a PNG file up to the end of its header chunk.
_PNG_HEADER = 33

#: What a file can be told to be by its first bytes, and is refused as.
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"II\xbc\x01", "a JPEG XR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"#?RGBE", "a Radiance picture"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x00\x00\x02\x00", "a cursor"),
    (b"DDS ", "a DirectDraw surface"),
    (b"qoif", "a QOI picture"),
    (b"SIMPLE  =", "a FITS picture"),
    *((b"P%d" % number + space, "a Netpbm picture") for number in range(1, 8) for space in (b"\n", b" ")),
)
#: Brands of ISO media files (bytes 8 to 12 after `ftyp`) that are pictures.
_BRANDS: dict[bytes, str] = {
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"heis": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"hevx": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"mif2": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"crx ": "a raw picture of a Canon camera",
}
#: A DICOM file has its magic behind a preamble of 128 bytes.
_DICOM = slice(128, 132)
_XML = (b"<?xml", b"<!--", b"<!DOCTYPE svg", b"<svg")
#: How far into an XML file its `<svg` is looked for, in bytes.
_XML_PROLOGUE = 4096

#: JPEG markers that start a frame and state its size; C4, C8 and CC mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
#: JPEG markers without a length.
_BARE = frozenset(range(0xD0, 0xD9)) | {0x01}


class Header(NamedTuple):
    """What a file says about its image."""

    #: `png`, `jpeg`, `webp`, `bmp`, `tiff` or `gif`.
    kind: str
    #: In pixels, before any orientation is applied; 0 by 0 where only the decoder can tell.
    width: int
    height: int
    #: True where OpenCV decodes it faithfully: grey or colour without transparency, in a kind it reads well.
    plain: bool
    #: True where it says that it has grey levels only.
    grey: bool = False
    #: True where it says that its samples have 16 bits.
    deep: bool = False


def read_header(data: bytes) -> Header:
    """Read what a file says about its image; the file's name plays no part.

    Args:
        data: the whole file.

    Raises:
        ImageRejected: `not_an_image`, `unsupported`, `truncated`, or `unreadable` where it is damaged.
    """
    for magic, parse in _PARSERS:
        if data.startswith(magic):
            try:
                return parse(data)
            except (IndexError, struct.error):
                raise truncated() from None
    raise _refusal(data)


def truncated() -> ImageRejected:
    """The refusal of a file that ends too early."""
    return ImageRejected(Reason.TRUNCATED, "The file ends before its image does.")


def damaged(what: str) -> ImageRejected:
    """The refusal of a file whose content contradicts itself."""
    return ImageRejected(Reason.UNREADABLE, f"The image is damaged: {what}.")


def unsupported(what: str, instead: str) -> ImageRejected:
    """The refusal of a file that shows an image in a way that is not read, with how to mend it."""
    return ImageRejected(Reason.UNSUPPORTED, f"{what}, which is not read; save it {instead}.")


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Let an image pass that has pixels, and not too many.

    Raises:
        ImageRejected: `too_large`, or `unreadable` where it has none.
    """
    if width * height > max_pixels:
        raise ImageRejected(
            Reason.TOO_LARGE, f"The image has {width:,} x {height:,} pixels; {max_pixels:,} are allowed in all."
        )
    if width * height == 0:
        raise damaged("it has no pixels")


def _refusal(data: bytes) -> ImageRejected:
    if len(data) < len(_PNG) and (_PNG.startswith(data) or _JPEG.startswith(data)):
        return truncated()
    kind = _other_kind(data)
    if kind is None:
        return ImageRejected(Reason.NOT_AN_IMAGE, "The file is not an image of a kind that is known.")
    return unsupported(f"The file is {kind}", "as a PNG or JPEG")


def _other_kind(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12])
    for magic, kind in _REFUSED:
        if data.startswith(magic):
            return kind
    if data[_DICOM] == b"DICM":
        return "a DICOM picture"
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_XML) and b"<svg" in data[:_XML_PROLOGUE]:
        return "an SVG drawing"
    return None


def _png(data: bytes) -> Header:
    """Walk the chunks up to IEND; what follows it is not looked at, as decoders do not."""
    if len(data) < _PNG_HEADER:
        raise truncated()
    if data[12:16] != b"IHDR":
        raise damaged("it does not begin with its header")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    deep = bits == 16
    plain = colour in (0, 2, 3) and not deep
    at = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise truncated()
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise damaged("a checksum is wrong")
        if name == b"IEND":
            return Header("png", width, height, plain, deep=deep)
        if name in (b"tRNS", b"eXIf"):
            plain = False
        at = end


def _jpeg(data: bytes) -> Header:
    """Walk the segments up to the first scan, then look for the end after it: a thumbnail has an end of its own."""
    at, width, height, components = 2, 0, 0, 0
    while True:
        if data[at] != 0xFF:
            raise damaged("a segment does not begin with a marker")
        marker = data[at + 1]
        if marker in _BARE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width, components = struct.unpack_from(">HHB", data, at + 5)
        if marker == _SCAN:
            break
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    if data.rfind(b"\xff\xd9", at) < 0:
        raise truncated()
    return Header("jpeg", width, height, components in (1, 3), grey=components == 1)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("gif", width, height, plain=False)


def _bmp(data: bytes) -> Header:
    size = struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return Header("bmp", abs(width), abs(height), plain=False)


def _webp(data: bytes) -> Header:
    if data[8:12] != b"WEBP":
        raise ImageRejected(Reason.NOT_AN_IMAGE, "The file is a RIFF container, but not of an image.")
    if len(data) < struct.unpack_from("<I", data, 4)[0] + 8:
        raise truncated()
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise damaged("its first chunk holds no image")
    return Header("webp", width, height, plain=False)


_PARSERS: tuple[tuple[bytes, Callable[[bytes], Header]], ...] = (
    (_PNG, _png),
    (_JPEG, _jpeg),
    (b"RIFF", _webp),
    (b"BM", _bmp),
    # The decoder reads a TIFF's size from its tags without decoding.
    (b"II*\x00", lambda _: Header("tiff", 0, 0, plain=False)),
    (b"MM\x00*", lambda _: Header("tiff", 0, 0, plain=False)),
    (b"II+\x00", lambda _: Header("tiff", 0, 0, plain=False)),
    (b"MM\x00+", lambda _: Header("tiff", 0, 0, plain=False)),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
)
