"""MNIST and folders of digits as arrays, checked to be what they say."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from classifier.images import ImageFolder, decode
from classifier.preprocess import SIDE, Image, prepare
from core.errors import DatasetError, ImageRejected
from core.vocabulary import DIGITS
from training.idx import MEND, read_idx

#: Bytes of a file in a class folder; a digit needs far less.
_MAX_BYTES = 64 * 1024 * 1024
_MAX_PIXELS = 100_000_000

#: Fewest images of a digit that can be parted into some to learn from, some to choose by and some to report on.
_FEWEST = 6
#: Label of a picture that is no digit.
NO_DIGIT = -1

#: The four parts of MNIST: file name, shape, and the SHA-256 of the array's bytes (without the IDX header).
PARTS: dict[str, tuple[str, tuple[int, ...], str]] = {
    "train-images": (
        "train-images-idx3-ubyte",
        (60_000, SIDE, SIDE),
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    ),
    "train-labels": (
        "train-labels-idx1-ubyte",
        (60_000,),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "test-images": (
        "t10k-images-idx3-ubyte",
        (10_000, SIDE, SIDE),
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    ),
    "test-labels": (
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
}


@dataclass(frozen=True, slots=True)
class Digits:
    """Images of digits with their true labels."""

    #: uint8, (n, 28, 28).
    images: Image
    #: int64, (n,).
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.int64]) -> Digits:
        """The digits at the given places, in that order."""
        return Digits(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Dataset:
    """MNIST: 60,000 digits to learn from, 10,000 for the final report only."""

    train: Digits
    test: Digits
    #: SHA-256 of the four arrays, by part.
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Split:
    """The training digits, parted."""

    train: Digits
    validation: Digits


def has_class_folders(data: Path) -> bool:
    """Whether a folder is sorted into `0` to `9`, or some of them, rather than holding MNIST's files."""
    return any((data / str(digit)).is_dir() for digit in range(DIGITS))


def load_dataset(data: Path | None = None) -> Dataset:
    """Load MNIST, or class folders `0` to `9` of one's own, of which a stratified sixth is kept for the final report.

    Raises:
        DatasetError: the data is missing, damaged, or too little of a digit.
    """
    if data is None or not has_class_folders(data):
        return load_mnist(data)
    digits = load_folder(data)
    count = np.bincount(digits.labels, minlength=DIGITS)
    if count.min() < _FEWEST:
        raise DatasetError(
            f"{data} holds {count.min()} images of the digit {count.argmin()}.",
            mend=f"Put at least {_FEWEST} images into each of the folders 0 to 9.",
        )
    parts = split(digits, validation=len(digits) // _FEWEST)
    arrays: dict[str, NDArray[Any]] = {
        "train-images": parts.train.images,
        "train-labels": parts.train.labels,
        "test-images": parts.validation.images,
        "test-labels": parts.validation.labels,
    }
    sha256 = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    return Dataset(parts.train, parts.validation, sha256)


def load_to_measure(data: Path | None = None) -> Digits:
    """Load prepared digits to measure a model on: class folders whole, of MNIST the test digits alone.

    Raises:
        DatasetError: the data is missing or damaged.
    """
    if data is not None and has_class_folders(data):
        return load_folder(data)
    return prepare_all(load_test_digits(data))


def load_test_digits(data: Path | None = None) -> Digits:
    """Load MNIST's 10,000 test digits alone; as `load_mnist` otherwise."""
    parts = _checked(data, ("test-images", "test-labels"))
    return Digits(parts["test-images"], parts["test-labels"].astype(np.int64))


def load_mnist(data: Path | None = None) -> Dataset:
    """Load MNIST.

    Args:
        data: folder of the four IDX files, gzipped or plain; None: Keras downloads them.

    Raises:
        DatasetError: a file is missing, damaged or not MNIST's.
    """
    parts = _checked(data, tuple(PARTS))
    return Dataset(
        train=Digits(parts["train-images"], parts["train-labels"].astype(np.int64)),
        test=Digits(parts["test-images"], parts["test-labels"].astype(np.int64)),
        sha256={part: digest for part, (_, _, digest) in PARTS.items()},
    )


def check(part: str, array: NDArray[np.uint8]) -> None:
    """Check that an array is the given part of MNIST, byte by byte.

    Raises:
        DatasetError: its shape or its SHA-256 is another.
    """
    name, shape, digest = PARTS[part]
    if array.shape != shape:
        raise DatasetError(f"{name} has the shape {array.shape}, not {shape}.", mend=MEND)
    if hashlib.sha256(array.tobytes()).hexdigest() != digest:
        raise DatasetError(f"{name} does not hold MNIST's digits: its SHA-256 is another.", mend=MEND)


def split(digits: Digits, *, validation: int = 5000, seed: int = 3) -> Split:
    """Part the training digits into a larger part to learn from and a stratified one to choose by.

    Args:
        digits: what to part.
        validation: number of digits in the validation part.
        seed: the same seed gives the same parts.
    """
    places = np.arange(len(digits), dtype=np.int64)
    learn, choose = train_test_split(places, test_size=validation, random_state=seed, stratify=digits.labels)
    return Split(digits.take(np.sort(learn)), digits.take(np.sort(choose)))


def mix(digits: Digits, own: Digits, *, weight: float = 1.0, seed: int = 3) -> Digits:
    """Add digits of one's own, each as often as its weight says.

    Args:
        digits: prepared digits.
        own: more of them.
        weight: how often each of the own ones counts; of 2.5, half of them count twice and half three times.
        seed: of which ones those are.
    """
    whole, rest = divmod(weight, 1)
    extra = np.random.default_rng(seed).random(len(own)) < rest
    places = np.repeat(np.arange(len(own)), int(whole) + extra.astype(np.int64))
    return joined([digits, own.take(places)])


def joined(parts: Sequence[Digits]) -> Digits:
    """Put digits one after the other; at least one part."""
    return Digits(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def prepare_all(digits: Digits) -> Digits:
    """Bring digits into the form that scoring sees, by the very same steps."""
    return Digits(np.stack([prepare(image) for image in digits.images]), digits.labels)


def load_folder(path: Path) -> Digits:
    """Load prepared digits from class folders `0` to `9`; hidden files are passed over.

    Raises:
        DatasetError: there is no class folder, no image, or an image that cannot be read.
    """
    labelled = labelled_images(path)
    if not labelled:
        raise DatasetError(f"{path} holds no image in class folders 0 to 9.", mend="Sort the images into 0/ to 9/.")
    return load_labelled(path, labelled)


def labelled_images(path: Path) -> list[tuple[str, int]]:
    """List the images of class folders: paths relative to the folder, in a stable order, and labels."""
    return [
        (file.relative_to(path).as_posix(), label)
        for label in range(DIGITS)
        for file in sorted(path.glob(f"{label}/*"))
        if not file.name.startswith(".")
    ]


def load_labelled(path: Path, labelled: Sequence[tuple[str, int]]) -> Digits:
    """Load prepared digits from images of a folder whose labels are known.

    Args:
        path: the folder.
        labelled: paths relative to the folder, and true labels; at least one.

    Raises:
        DatasetError: an image cannot be read.
    """
    images = np.empty((len(labelled), SIDE, SIDE), np.uint8)
    with ImageFolder(path, max_bytes=_MAX_BYTES) as folder:
        for place, (relative, _) in enumerate(labelled):
            try:
                images[place] = prepare(decode(folder.read(relative), max_pixels=_MAX_PIXELS))
            except ImageRejected as error:
                raise DatasetError(
                    f"{relative}: {error}", mend="Mend the image or take it out of the folder."
                ) from error
    return Digits(images, np.array([label for _, label in labelled], np.int64))


def _checked(data: Path | None, names: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    every = _from_keras() if data is None else {name: _from_folder(data, name) for name in names}
    parts = {name: every[name] for name in names}
    for name, array in parts.items():
        check(name, array)
    return parts


def _from_folder(data: Path, part: str) -> NDArray[np.uint8]:
    name = PARTS[part][0]
    plain, packed = data / name, data / f"{name}.gz"
    if not plain.exists() and not packed.exists():
        raise DatasetError(f"{packed} is missing.", mend=MEND)
    return read_idx(packed if packed.exists() else plain)


def _from_keras() -> dict[str, NDArray[np.uint8]]:
    """Let Keras download MNIST, or take what it downloaded before."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where it shows its progress; stdout is for results
            (train_images, train_labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises nothing narrower where it cannot download.
        raise DatasetError(f"MNIST cannot be downloaded: {error}", mend=MEND) from error
    return {
        "train-images": train_images,
        "train-labels": train_labels,
        "test-images": test_images,
        "test-labels": test_labels,
    }
