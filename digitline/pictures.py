"""Pictures of a job's images for a page, read as safely as the line reads them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import cv2

from classifier.images import decode
from classifier.preprocess import Image, explain
from classifier.sources import images_of
from core.errors import ImageRejected, SourceNotFound, SourceUnreadable, StoreUnreachable
from core.ledger.results import Result
from core.settings import Settings
from core.sources import Source

#: Longest side of a picture on a page, in pixels.
_LONGEST_SIDE = 160


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a page shows it."""

    #: Data URL of the image; None where the file cannot be shown any more.
    original: str | None = None
    #: Data URL of what the network saw of it, or, of a rejected one, of the last step before it was turned away; None of
    #: a string, whose parting the network had a part in.
    prepared: str | None = None
    #: Why there is no picture, or why it may be another than the one that was scored.
    note: str | None = None


class Album:
    """The images of one source: a folder, or a prefix of object storage."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self._images = images_of(source, max_bytes=settings.max_bytes)
        self._max_pixels = settings.max_pixels

    def read(self, path: str) -> bytes:
        """The bytes of an image.

        Raises:
            ImageRejected: its file is gone, or may not be read.
            OSError: the host, its share or the object store is in trouble.
        """
        try:
            return self._images.read(path)
        except (SourceNotFound, SourceUnreadable, StoreUnreachable) as error:
            raise OSError(str(error)) from error

    def picture(self, result: Result) -> Picture:
        """The picture of an image that was seen, or a note where its file is gone."""
        try:
            data = self.read(result.path)
            image = decode(data, max_pixels=self._max_pixels)
            explained = explain(image)
        except (ImageRejected, OSError) as error:
            return Picture(note=f"No picture: {error}")
        changed = result.sha256 is not None and hashlib.sha256(data).hexdigest() != result.sha256
        note = "The file has changed since it was scored." if changed else None
        last = explained.steps[-1][1] if explained.prepared is None else explained.prepared
        return Picture(data_url(shrunk(image)), None if result.digits else data_url(shrunk(last)), note)


def data_url(image: Image) -> str:
    """The image as a PNG in a URL."""
    encoded, png = cv2.imencode(".png", image)
    if not encoded:
        raise ValueError(f"An array of {image.dtype} {image.shape} cannot become a PNG.")
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode("ascii")


def shrunk(image: Image, longest: int = _LONGEST_SIDE) -> Image:
    """The image, no side of it longer than so many pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small
