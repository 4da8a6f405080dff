"""`python -m benchmarks.pictures.cost`: processor time that a picture takes to be prepared, beside its decoding alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.command import run
from benchmarks.pictures import camera, photos
from benchmarks.pictures.ink import Picture, Place, Rng, enlarged
from benchmarks.pictures.paper import BLACK, grey, picture_of, sheet, written
from classifier.images import decode
from classifier.preprocess import prepare
from core.settings import get_settings
from digitline.cli.options import Json
from digitline.cli.screen import screen, table
from digitline.records import as_json
from training.idx import read_idx

#: The digits that pictures are made of.
_SAMPLES = Path(__file__).parents[2] / "samples" / "t10k-images-idx3-ubyte.gz"
#: Side of a scan, in pixels.
_SCAN_SIDE = 200

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Pictures of one size."""

    name: str
    #: A file, from a digit and chance.
    draw: Callable[[Picture, Rng], bytes]
    #: Pictures that are made, and how often each is decoded and prepared in a repetition.
    made: int
    times: int
    #: Most that one may take, decoding included, in microseconds of one core.
    wanted: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture of one kind costs: medians over repetitions, in microseconds of one core."""

    name: str
    decoding: float
    #: Decoding and all steps.
    whole: float
    wanted: float

    @property
    def ratio(self) -> float:
        """How many times as long as its decoding the whole takes."""
        return self.whole / self.decoding


def _scan(digit: Picture, rng: Rng) -> bytes:
    """A clean scan in grey, as JPEG."""
    place = Place.somewhere(rng, side=(_SCAN_SIDE, _SCAN_SIDE), share=(0.5, 0.7))
    place = Place((_SCAN_SIDE, _SCAN_SIDE), (_SCAN_SIDE / 2, _SCAN_SIDE / 2), place.size, place.turn)
    return camera.jpeg(grey(picture_of(written(sheet(place.shape, rng), enlarged(digit, place), BLACK))), 90)


KINDS = (
    Kind("digit of MNIST, PNG of 28x28", lambda digit, _: camera.png(digit), made=50, times=20, wanted=60),
    Kind("clean scan, grey JPEG of 200x200", _scan, made=50, times=2, wanted=250),
    Kind("phone photo, JPEG of 12 megapixels", photos.phone_photo_12mp, made=2, times=1, wanted=60_000),
)


def cost(kind: Kind, repetitions: int) -> Cost:
    """Measure one kind: files are decoded, and decoded and prepared, in turns, so that other load falls on both alike."""
    images = read_idx(_SAMPLES)
    files = [kind.draw(images[place], np.random.default_rng(place)) for place in range(kind.made)]
    max_pixels = get_settings().max_pixels

    def whole(data: bytes) -> None:
        prepare(decode(data, max_pixels=max_pixels))

    decoding, everything = [], []
    for _ in range(repetitions):
        decoding.append(_spent(lambda data: decode(data, max_pixels=max_pixels), files, kind.times))
        everything.append(_spent(whole, files, kind.times))
    return Cost(kind.name, median(decoding), median(everything), kind.wanted)


def _spent(work: Callable[[bytes], object], files: Sequence[bytes], times: int) -> float:
    """Microseconds of this process that a file takes."""
    began = process_time_ns()
    for _ in range(times):
        for data in files:
            work(data)
    return (process_time_ns() - began) / 1000 / (times * len(files))


@app.command(epilog="Example: python -m benchmarks.pictures.cost --json")
def costs(
    repetitions: Annotated[int, typer.Option(min=1, help="Turns of decoding and preparing.")] = 15,
    json: Json = False,
) -> None:
    """Measure what pictures cost on one core, beside their decoding alone."""
    cv2.setNumThreads(1)
    found = [cost(kind, repetitions) for kind in KINDS]
    if json:
        print(as_json({"costs": [{**asdict(one), "ratio": one.ratio} for one in found]}))
        return
    columns = ("pictures", "decoding", "whole", "times", "wanted")
    lines = [
        (
            one.name,
            f"{one.decoding:,.0f} µs",
            f"{one.whole:,.0f} µs",
            f"{one.ratio:.1f}",
            f"at most {one.wanted:,.0f} µs",
        )
        for one in found
    ]
    screen().print(table(columns, lines, numbers=columns[1:]))


def main() -> None:
    """Run the command line."""
    run(app, "benchmarks.pictures.cost")


if __name__ == "__main__":
    main()
