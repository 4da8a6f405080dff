"""What is learned from beside the data: digits of one's own, and corrected images, of which none is measured on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from classifier.images import decode
from classifier.preprocess import SIDE, Image, prepare
from core.errors import ImageRejected
from training.dataset import Digits, mix

#: How often a corrected image counts where nobody says otherwise: they are few, and what was read wrong is in them.
USUAL_WEIGHT = 10.0
#: Share of all other digits that corrected images may make together by it: many of them would drown the rest.
MOST_TOGETHER = 0.25


@dataclass(frozen=True, slots=True)
class Lessons:
    """Corrected images to learn from."""

    #: Prepared; the label `NO_DIGIT` where an image shows none.
    digits: Digits
    #: SHA-256 of each file, hexadecimal.
    sha256: tuple[str, ...]
    #: A sentence for every image that cannot be prepared.
    refused: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sha256)

    def weight(self, digits: int) -> float:
        """How often each of them counts beside so many other digits: 10 times, or less where together they are many."""
        return max(1.0, min(USUAL_WEIGHT, MOST_TOGETHER * digits / max(1, len(self))))

    def without(self, *measured: Digits) -> Lessons:
        """Those that are no picture of these digits, by which is chosen or reported: what is learned measures nothing."""
        seen = {image.tobytes() for digits in measured for image in digits.images}
        kept = np.array([at for at, image in enumerate(self.digits.images) if image.tobytes() not in seen], np.int64)
        return Lessons(self.digits.take(kept), tuple(self.sha256[at] for at in kept), self.refused)


@dataclass(frozen=True, slots=True)
class Extra:
    """Digits to learn from beside those of the data."""

    #: Prepared digits of the user's own, and how often each of them counts.
    own: Digits | None = None
    own_weight: float = 1.0
    #: Corrected images, and how often each of them counts; None: as `Lessons.weight` says.
    lessons: Lessons | None = None
    lessons_weight: float | None = None

    def without(self, *measured: Digits) -> Extra:
        """The same, but for corrected images that are pictures of these digits; see `Lessons.without`."""
        return self if self.lessons is None else dataclasses.replace(self, lessons=self.lessons.without(*measured))

    def added_to(self, digits: Digits, *, seed: int) -> Digits:
        """Mix them into the digits of the data."""
        mixed = digits if self.own is None else mix(digits, self.own, weight=self.own_weight, seed=seed)
        if not self.lessons:
            return mixed
        weight = self.lessons.weight(len(digits)) if self.lessons_weight is None else self.lessons_weight
        return mix(mixed, self.lessons.digits, weight=weight, seed=seed)


def prepare_lessons(files: Iterable[tuple[str, bytes, int]], *, max_pixels: int) -> Lessons:
    """Prepare images by the very steps of scoring.

    Args:
        files: path, bytes, and the digit that each shows, or `NO_DIGIT`.
        max_pixels: that an image may have.
    """
    found: list[tuple[Image, int, str]] = []
    refused: list[str] = []
    for path, data, label in files:
        try:
            image = prepare(decode(data, max_pixels=max_pixels))
        except ImageRejected as error:
            refused.append(f"{path}: {error}")
        else:
            found.append((image, label, hashlib.sha256(data).hexdigest()))
    images = np.array([image for image, _, _ in found], np.uint8).reshape(-1, SIDE, SIDE)
    labels = np.array([label for _, label, _ in found], np.int64)
    return Lessons(Digits(images, labels), tuple(sha256 for *_, sha256 in found), tuple(refused))
