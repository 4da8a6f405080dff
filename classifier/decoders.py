"""Decode an image whose header is known: by OpenCV where it is faithful and quick, by Pillow for the rest."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from classifier.formats import Header, check_size, damaged, truncated
from classifier.pixels import narrow_with_alpha, to_array
from classifier.preprocess import Image

#: A JPEG is decoded smaller than it is as long as its longer side keeps as many pixels.
ENOUGH_SIDE = 1000

#: What a JPEG's sides can be divided by while it is decoded, and how OpenCV is told so: for grey, for colour.
_REDUCED: dict[int, tuple[int, int]] = {
    8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
    4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
    2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
}

#: The decoder of every kind, named outright so that no other is tried.
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "gif": GifImagePlugin.GifImageFile,
}
#: What Pillow's decoders raise on files that are cut short or contradict themselves.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    PIL.Image.DecompressionBombError,
)
#: The photometric interpretation of a TIFF whose samples are red, green and blue.
_RGB = 2


def with_opencv(data: bytes, header: Header) -> Image | None:
    """Decode a plain image, without ever raising.

    Returns:
        uint8, (height, width) grey or (height, width, 3) BGR; None where OpenCV cannot.
    """
    divisor = reduction(header)
    how = cv2.IMREAD_ANYCOLOR if divisor == 1 else _REDUCED[divisor][not header.grey]
    return _by_opencv(data, how)


def with_pillow(data: bytes, header: Header, max_pixels: int) -> Image:
    """Decode any image of a kind that is read.

    Returns:
        As `classifier.images.decode`.

    Raises:
        ImageRejected: `too_large`, `truncated`, `unsupported`, or `unreadable` where it is damaged.
    """
    try:
        # What Pillow warns of is either harmless or ends in an error, and sizes are checked here.
        with warnings.catch_warnings(action="ignore"), _DECODERS[header.kind](io.BytesIO(data)) as picture:
            check_size(picture.width, picture.height, max_pixels)
            deep = _decode_deep(data, picture) if _is_deep(header, picture) else None
            if deep is not None:
                return deep
            divisor = reduction(header)
            picture.draft("", (picture.width // divisor, picture.height // divisor))
            picture.load()
            return to_array(ImageOps.exif_transpose(picture))
    except _DECODER_ERRORS as error:
        raise (truncated() if "truncated" in str(error) else damaged("it cannot be decoded")) from error


def reduction(header: Header) -> int:
    """Tell what an image's sides are divided by while it is decoded.

    libjpeg leaves out the frequencies that a smaller picture cannot show, and with them most of the work that is not
    Huffman decoding. Other kinds have no such way.

    Returns:
        1, 2, 4 or 8, the largest that leaves `ENOUGH_SIDE`.
    """
    side = max(header.width, header.height) if header.kind == "jpeg" else 0
    return next((divisor for divisor in _REDUCED if side >= divisor * ENOUGH_SIDE), 1)


def _by_opencv(data: bytes, how: int) -> Image | None:
    try:
        image: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None
    return image


def _is_deep(header: Header, picture: ImageFile.ImageFile) -> bool:
    """Tell whether a picture has samples of 16 bits of which Pillow would keep the upper half only."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        tags = picture.tag_v2
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, ())
        return (
            len(bits) in (3, 4) and set(bits) == {16} and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == _RGB
        )
    return header.deep


def _decode_deep(data: bytes, picture: ImageFile.ImageFile) -> Image | None:
    deep: NDArray[Any] | None = _by_opencv(data, cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16:
        return None
    image = narrow_with_alpha(deep)
    if picture.format == "TIFF":
        return image  # OpenCV has turned it already.
    shown = PIL.Image.fromarray(image)
    shown.getexif()[ExifTags.Base.Orientation] = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return np.array(ImageOps.exif_transpose(shown))
