"""Read digits in this process, without queue or database; the same bytes get the same answer as on the line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import shipped_model
from classifier.images import decode, read_image
from classifier.predict import Predictor
from classifier.readings import read as read_pictures
from classifier.sources import images_of
from classifier.strings import ways_to_read
from core.ledger.results import Result
from core.quiet import without_native_chatter
from core.settings import Settings, get_settings
from core.sources import Prefix, Source, source_of
from core.vocabulary import Labels, Manifest, Outcome, Runtime
from scheduler.folder import list_files, true_labels
from worker.seen import PICTURES_FAULT, Seen
from worker.tally import tally

Array = NDArray[np.uint8]
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Item:
    """An image to read."""

    #: What the result calls it.
    path: str
    #: Gives the file's bytes and the picture they hold; may raise ImageRejected. Called once, before the next item is
    #: asked for.
    load: Callable[[], tuple[bytes, Array]]
    true_label: int | None = None


def predict(
    images: AnyPath | Array | Iterable[AnyPath | Array], *, model: AnyPath | None = None, split: bool | None = None
) -> list[Result]:
    """Read digits in this process.

    Args:
        images: paths of files or folders, `s3://bucket/prefix`, or arrays of uint8: (height, width) grey, (height, width, 3) BGR,
            a stack (n, height, width) or (n, height, width, 3); one of them, or any number in any mixture.
        model: the model folder; default: the setting `model`, else the shipped one.
        split: whether a picture of several digits is read as one string; default: the setting `split`.

    Returns:
        One result an image, in order. An image that cannot be read is `rejected` with a reason, as on the line;
        `path` is relative to the folder given, or `image 0`, `image 1`... for arrays.

    Raises:
        SubmissionError: a folder or bucket is not there, may not be read, or holds no file.
        StoreUnreachable: an object store does not answer.
        ArtifactError: the model folder is damaged, foreign or of another version.
        ValueError: an array is of another shape or type.
    """
    return list(read(chain.from_iterable(_items(images, get_settings())), model=model, split=split))


def read_paths(paths: Iterable[Source], *, model: AnyPath | None = None, split: bool | None = None) -> Iterator[Result]:
    """Read files, and folders and prefixes with all that is in them, a batch at a time; errors as `predict`."""
    settings = get_settings()
    return read(chain.from_iterable(_of_path(path, settings) for path in paths), model=model, split=split)


def read(items: Iterable[Item], *, model: AnyPath | None = None, split: bool | None = None) -> Iterator[Result]:
    """Read images, a batch at a time, so that memory does not grow with their number."""
    settings = get_settings()
    predictor = load_predictor(model)
    remaining = iter(items)
    split = settings.split if split is None else split
    while results := _read_batch(islice(remaining, settings.images_at_once), predictor, settings, split=split):
        yield from results


def load_predictor(model: AnyPath | None = None) -> Predictor:
    """The model of this process, loaded once."""
    settings = get_settings()
    folder = Path(model or settings.model or shipped_model()).expanduser().absolute()
    return _loaded(folder, settings.images_at_once, settings.runtime)


def load_file(path: Path, settings: Settings) -> tuple[bytes, Array]:
    """The bytes of a file, and the picture they hold.

    Raises:
        ImageRejected: it holds none that can be read.
    """
    # A link that a person names is meant; only links inside a folder are not followed.
    target = Path(os.path.realpath(path))
    data = read_image(target.parent, target.name, max_bytes=settings.max_bytes)
    return data, decode(data, max_pixels=settings.max_pixels)


@cache
def _loaded(folder: Path, batch_size: int, runtime: Runtime) -> Predictor:
    with without_native_chatter():
        return Predictor(folder, batch_size=batch_size, runtime=runtime)


def _read_batch(batch: Iterable[Item], predictor: Predictor, settings: Settings, *, split: bool) -> list[Result]:
    seen, items = Seen(), list[Item]()
    for position, item in enumerate(batch):
        items.append(item)
        try:
            data, picture = item.load()
            seen.add(position, data, ways_to_read(picture, split=split))
        except PICTURES_FAULT as error:
            seen.refuse(position, item.path, error)
    manifest = Manifest([item.path for item in items], [item.true_label for item in items])
    readings = [
        reading
        for digits, ways in seen.parts(predictor.batch_size)
        for reading in read_pictures(predictor(digits), ways, predictor.card, settings.target_error)
    ]
    return _results(tally(manifest, seen, readings, {}), predictor.card.name)


def _results(outcome: Outcome, model: str) -> list[Result]:
    scored = {
        one.position: Result(
            path=one.path,
            status="scored",
            label=one.label,
            confidence=one.confidence,
            margin=one.margin,
            verdict=one.verdict,
            true_label=one.true_label,
            sha256=one.sha256,
            model=model,
            digits=one.digits,
        )
        for one in outcome.predictions
    }
    rejected = {
        one.position: Result(
            path=one.path,
            status="rejected",
            verdict=one.reason.verdict,
            true_label=one.true_label,
            reason=one.reason,
            message=one.message,
            model=model,
        )
        for one in outcome.rejections
    }
    both = scored | rejected
    return [both[position] for position in sorted(both)]


def _items(images: AnyPath | Array | Iterable[AnyPath | Array], settings: Settings) -> Iterator[Iterable[Item]]:
    several = [images] if isinstance(images, (str, os.PathLike, np.ndarray)) else images
    count = 0
    for image in several:
        if isinstance(image, np.ndarray):
            pictures = _pictures(image)
            yield [_of_array(picture, count + place) for place, picture in enumerate(pictures)]
            count += len(pictures)
        else:
            yield _of_path(source_of(image), settings)


def _pictures(array: Array) -> Sequence[Array]:
    """Part a stack into its pictures; a single picture is a stack of one."""
    if array.dtype != np.uint8:
        raise ValueError(f"Arrays must be uint8, 0 to 255, not {array.dtype}.")
    colour = array.shape[-1] == 3
    if array.ndim == 2 or (array.ndim == 3 and colour):
        return [array]
    if array.ndim == 3 or (array.ndim == 4 and colour):
        return list(array)
    raise ValueError(f"Arrays must be (height, width), (height, width, 3) or a stack of those, not {array.shape}.")


def _of_array(picture: Array, place: int) -> Item:
    def load() -> tuple[bytes, Array]:
        return picture.tobytes(), np.ascontiguousarray(picture)

    return Item(f"image {place}", load)


def _of_path(path: Source, settings: Settings) -> Iterator[Item]:
    if not isinstance(path, Prefix) and not path.is_dir():
        yield Item(str(path), partial(load_file, path, settings))
        return
    files = list_files(path)
    labels = true_labels(path, files, Labels.AUTO) or [None] * len(files)
    with images_of(path, max_bytes=settings.max_bytes) as images, images.reading(files) as read_file:
        for file, label in zip(files, labels, strict=True):
            yield Item(file, partial(_load, read_file, file, settings.max_pixels), label)


def _load(read_file: Callable[[str], bytes], relative: str, max_pixels: int) -> tuple[bytes, Array]:
    data = read_file(relative)
    return data, decode(data, max_pixels=max_pixels)
