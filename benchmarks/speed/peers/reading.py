"""The work itself, with the line's own preprocessing and network: bytes in, labels out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.images import ImageFolder, decode
from classifier.predict import bind_to_one_thread
from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected
from core.settings import get_settings
from digitline.local import load_predictor
from worker.reading import grouped

#: Label of a picture in which no digit was found.
NONE = -1


def read_files(folder: Path, files: Iterable[str]) -> list[bytes]:
    """Read files as the line does: each by one openat in a folder held open."""
    with ImageFolder(folder, max_bytes=get_settings().max_bytes) as root:
        return [root.read(file) for file in files]


def prepared_batch(contents: Sequence[bytes]) -> tuple[Image, NDArray[np.int64]]:
    """Prepare files: uint8, (n, 28, 28) of those that hold a digit, and their places, int64, (n,)."""
    # Some decoded, then prepared, as the line does it: each kind of work stays in the caches.
    groups = grouped(contents, len)
    images = [_prepared(picture) for group in groups for picture in [_decoded(data) for data in group]]
    places = [place for place, image in enumerate(images) if image is not None]
    stack = (
        np.stack([image for image in images if image is not None]) if places else np.empty((0, SIDE, SIDE), np.uint8)
    )
    return stack, np.array(places, np.int64)


def _decoded(data: bytes) -> Image | None:
    try:
        return decode(data, max_pixels=get_settings().max_pixels)
    except ImageRejected:
        return None


def _prepared(picture: Image | None) -> Image | None:
    try:
        return None if picture is None else prepare(picture)
    except ImageRejected:
        return None


class Reader:
    """The shipped model in this process, on one thread."""

    def __init__(self) -> None:
        bind_to_one_thread()
        self._predictor = load_predictor()

    def labels(self, contents: Sequence[bytes]) -> NDArray[np.int64]:
        """Read files.

        Returns:
            int64, (n,): the labels, `NONE` where there is none.
        """
        images, places = prepared_batch(contents)
        labels = np.full(len(contents), NONE, np.int64)
        labels[places] = self._predictor(images).labels
        return labels
