"""What a batch's files hold: digits to predict, and refusals."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeAlias

import cv2
import numpy as np

from classifier.preprocess import SIDE, Image
from core.errors import ImageRejected
from core.vocabulary import Reason

#: Of every piece of a picture's ink the ways to read it, each of them digits, uint8, (28, 28), ink bright on 0.
Ways: TypeAlias = Sequence[Sequence[Sequence[Image]]]

log = logging.getLogger(__name__)

#: What reading, decoding and preprocessing raise where a file is at fault, or its picture breaks an assumption.
PICTURES_FAULT = (ImageRejected, ArithmeticError, ValueError, LookupError, MemoryError, cv2.error)


@dataclass
class Seen:
    """What a batch's files hold, image by image."""

    #: Of the images that hold digits.
    positions: list[int] = field(default_factory=list)
    #: Of each of these images' file, hexadecimal.
    hashes: list[str] = field(default_factory=list)
    #: Of each of these images, how many digits each way of each of its pieces has: `[[1]]` but for one that is split.
    ways: list[list[list[int]]] = field(default_factory=list)
    refusals: dict[int, ImageRejected] = field(default_factory=dict)
    _digits: list[Image] = field(default_factory=list)

    @property
    def digits(self) -> Image:
        """All digits, in the order of `positions` and of `ways`: uint8, (n, 28, 28), ink bright on 0."""
        return _stacked(self._digits)

    def parts(self, size: int) -> Iterator[tuple[Image, list[list[list[int]]]]]:
        """The digits of some images after the other, and their ways; at most `size` digits, or those of one image."""
        start = end = first = 0
        for place, pieces in enumerate(self.ways):
            count = sum(map(sum, pieces))
            if place > first and end + count - start > size:
                yield _stacked(self._digits[start:end]), self.ways[first:place]
                start, first = end, place
            end += count
        if self.ways:
            yield _stacked(self._digits[start:end]), self.ways[first:]

    def __len__(self) -> int:
        return len(self.positions) + len(self.refusals)

    def add(self, position: int, data: bytes, ways: Ways) -> None:
        """Keep the digits of an image, and the hash of the bytes they were read from."""
        for digits in chain.from_iterable(ways):
            self._digits += digits
        self.positions.append(position)
        self.hashes.append(hashlib.sha256(data).hexdigest())
        self.ways.append([[len(digits) for digits in piece] for piece in ways])

    def refuse(self, position: int, path: str, error: Exception) -> None:
        """Keep the reason why an image has no digit.

        Args:
            position: of the image in the manifest.
            path: of its file.
            error: one of `PICTURES_FAULT`.
        """
        if not isinstance(error, ImageRejected):
            # A picture nobody thought of; its siblings must not pay for it.
            log.error("%r cannot be read", path, exc_info=error)
            error = ImageRejected(Reason.UNREADABLE, f"The picture cannot be read: {error}.")
        self.refusals[position] = error


def _stacked(digits: Sequence[Image]) -> Image:
    return np.stack(digits) if digits else np.empty((0, SIDE, SIDE), np.uint8)
