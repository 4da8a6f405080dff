"""The files that are read: made once, kept, and the same for every candidate."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.ink import Picture, Place, enlarged
from benchmarks.pictures.paper import grey, picture_of, sheet, uneven, written
from benchmarks.pictures.photos import phone_photo_12mp
from benchmarks.speed.candidates import Work
from digitline.samples import FOLDER, write_samples
from training.idx import read_idx

#: Seed of all chance; raised only together with new published figures.
_SEED = 3
#: Of so many images that are asked for one photo is made: it takes fifty times as long to read as a small digit.
PHOTOS_ONE_IN = 20
#: Different photos; a photo takes seconds to make, so the others are hard links to these.
_PHOTOS = 24
#: Pixels of a side of a scan, and of its digit.
_SIDE, _DIGIT = 200, 140

#: What the results say of each kind of work.
SENTENCES = {
    Work.DIGITS: "MNIST test digits as PNG files of 28x28.",
    Work.SCANS: "The same digits in ink on paper, as grey JPEG files of 200x200.",
    Work.PHOTOS: f"Photos of them as a phone takes them, JPEG files of 12 megapixels; {_PHOTOS} different ones.",
}


def folder_of(work: Work, images: int, below: Path) -> Path:
    """The folder of a work, with class folders `0/` to `9/`; made where it is not there.

    Args:
        work: what is in it.
        images: that are asked for; of photos fewer are made.
        below: where such folders are kept.
    """
    folder = below / f"{work}-{images}"
    if not folder.is_dir():
        staging = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(staging, ignore_errors=True)
        _MAKERS[work](staging, images)
        staging.rename(folder)
    return folder


def read_once(folder: Path) -> int:
    """Read every file, so that no candidate is the one that waits for the disk; returns how many there are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        path.read_bytes()
    return len(files)


def _write_scans(folder: Path, images: int) -> None:
    _write(folder, ((label, _scan(digit, number)) for number, (digit, label) in enumerate(_digits(images))))


def _write_photos(folder: Path, images: int) -> None:
    count = max(1, images // PHOTOS_ONE_IN)
    made = min(count, _PHOTOS)
    chances = (np.random.default_rng([_SEED, number]) for number in range(made))
    photos = ((label, phone_photo_12mp(digit, rng)) for (digit, label), rng in zip(_digits(made), chances, strict=True))
    originals = _write(folder, photos)
    for number, original in islice(enumerate(cycle(originals)), made, count):
        original.with_name(f"{number:05}.jpg").hardlink_to(original)


def _digits(count: int) -> Iterator[tuple[Picture, int]]:
    images = read_idx(FOLDER / "t10k-images-idx3-ubyte.gz")[:count]
    labels = read_idx(FOLDER / "t10k-labels-idx1-ubyte.gz")[:count]
    return zip(images, labels.tolist(), strict=True)


def _scan(digit: Picture, number: int) -> bytes:
    rng = np.random.default_rng([_SEED, number])
    place = Place((_SIDE, _SIDE), (_SIDE / 2, _SIDE / 2), _DIGIT, float(rng.uniform(-6, 6)))
    page = written(sheet(place.shape, rng), uneven(enlarged(digit, place), rng))
    return camera.jpeg(grey(picture_of(page)), 90)


def _write(folder: Path, pictures: Iterable[tuple[int, bytes]]) -> list[Path]:
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    paths = []
    for number, (label, data) in enumerate(pictures):
        paths.append(folder / str(label) / f"{number:05}.jpg")
        paths[-1].write_bytes(data)
    return paths


_MAKERS: dict[Work, Callable[[Path, int], object]] = {
    Work.DIGITS: write_samples,
    Work.SCANS: _write_scans,
    Work.PHOTOS: _write_photos,
}
