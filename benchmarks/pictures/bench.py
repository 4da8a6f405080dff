"""Reads pictures of every generator the way the product does, and measures what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.catalogue import Example, Generator, Kind, place_of
from benchmarks.pictures.ink import Picture
from classifier.images import decode
from core.ledger.results import Result
from core.settings import get_settings
from core.vocabulary import Verdict
from digitline.local import Item, read
from training.dataset import Digits

#: Verdicts on what is taken for digits.
_TAKEN = (Verdict.DIGIT, Verdict.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the product says of one picture."""

    index: int
    #: The digits that the picture shows; empty where it shows none.
    truth: str
    #: The digits that were read, whatever the verdict; empty where none were.
    text: str
    #: The verdict, or the reason of the rejection.
    outcome: str

    @property
    def sure(self) -> bool:
        """Whether the product stands by what it read."""
        return self.outcome == Verdict.DIGIT

    @property
    def labelled(self) -> bool:
        """Whether the label is the true one, whatever the verdict: what a job's accuracy counts."""
        return self.text == self.truth

    @property
    def right(self) -> bool:
        """Whether the true digits were taken for such, sure or not; of a picture without digits, that none is stood by."""
        return self.labelled and self.outcome in _TAKEN if self.truth else not self.sure


@dataclass(frozen=True, slots=True)
class Row:
    """What was read of one generator's pictures."""

    generator: Generator
    readings: Sequence[Reading]
    #: Of the same digits as MNIST has them; empty where the pictures show none of them.
    clean: Sequence[Reading] = ()

    @property
    def accuracy(self) -> float:
        """Share that was read right, 0 to 1."""
        return share(reading.right for reading in self.readings)

    @property
    def sure(self) -> float:
        """Share that the product stands by, 0 to 1."""
        return share(reading.sure for reading in self.readings)

    @property
    def difference(self) -> float | None:
        """Accuracy less that on clean digits, in points."""
        return 100 * (self.accuracy - share(reading.right for reading in self.clean)) if self.clean else None

    @property
    def label_difference(self) -> float | None:
        """Share whose label is right, whatever the verdict, less that of clean digits, in points."""
        if not self.clean:
            return None
        labelled, clean = (share(reading.labelled for reading in part) for part in (self.readings, self.clean))
        return 100 * (labelled - clean)

    @property
    def outcomes(self) -> dict[str, float]:
        """Share by verdict or reason of rejection, the most frequent first."""
        counted = Counter(reading.outcome for reading in self.readings)
        return {outcome: count / len(self.readings) for outcome, count in counted.most_common()}


def read_clean(digits: Digits, count: int, note: Callable[[], None]) -> list[Reading]:
    """Read the digits themselves that pictures of the first `count` indices show."""
    places = [place_of(digits, index) for index in range(count)]
    examples = (Example(digits.images[place], str(digits.labels[place])) for place in places)
    return list(_read(examples, note, split=False))


def read_generator(
    generator: Generator, digits: Digits, count: int, clean: Sequence[Reading], note: Callable[[], None]
) -> Row:
    """Read a generator's pictures.

    Args:
        generator: what makes them.
        digits: MNIST's training digits or its test digits, whole.
        count: pictures that are asked for; of large ones fewer are made.
        clean: readings of the same digits, as `read_clean` gives them for the same count.
        note: called after every picture.
    """
    made = number_made(generator, count)
    examples = (generator.example(digits, index) for index in range(made))
    readings = list(_read(examples, note, split=generator.kind is Kind.SEVERAL))
    return Row(generator, readings, {Kind.STRESS: clean[:made], Kind.STYLE: clean}.get(generator.kind, ()))


def number_made(generator: Generator, count: int) -> int:
    """How many pictures are made where `count` are asked for."""
    return -(-count // generator.one_in)


def share(hits: Iterable[bool]) -> float:
    """Share of those that are true, 0 to 1; at least one."""
    return float(np.mean(list(hits)))


def _read(examples: Iterable[Example], note: Callable[[], None], *, split: bool) -> Iterator[Reading]:
    """Read pictures in order, a batch in memory at a time."""
    truths: list[str] = []

    def items() -> Iterator[Item]:
        for index, example in enumerate(examples):
            truths.append(example.truth)
            yield _item(index, example.image)

    for index, result in enumerate(read(items(), split=split)):
        yield _reading(index, truths[index], result)
        note()


def _item(index: int, image: Picture | bytes) -> Item:
    """A picture as the product takes it: a file's bytes decoded, an array as it is."""
    max_pixels = get_settings().max_pixels
    if not isinstance(image, bytes) and image.ndim == 3 and image.shape[2] == 4:
        image = camera.png(image)

    def load() -> tuple[bytes, Picture]:
        if isinstance(image, bytes):
            return image, decode(image, max_pixels=max_pixels)
        return image.tobytes(), image

    return Item(f"picture {index}", load)


def _reading(index: int, truth: str, result: Result) -> Reading:
    outcome = result.reason if result.reason is not None else result.verdict
    return Reading(index, truth, "" if result.label is None else str(result.label), str(outcome))


def seen(image: Picture | bytes) -> Picture:
    """A picture as a person sees it, for a contact sheet.

    Args:
        image: an array, or a file whose transparent parts are shown grey.

    Returns:
        uint8, (height, width, 3) BGR.
    """
    if isinstance(image, bytes):
        data = np.frombuffer(image, np.uint8)
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
        if image.ndim == 2 or image.shape[2] == 3:
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))  # which turns it as EXIF says
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if image.shape[2] == 4:
        cover = image[..., 3:] / np.float32(255)
        return (image[..., :3] * cover + 150 * (1 - cover)).astype(np.uint8)
    return image
