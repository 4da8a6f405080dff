"""Corrected images out of the ledger: as class folders, as a table of labels, and as tasks for Label Studio."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import quote_from_bytes

from classifier.sources import Images, images_of
from core.database import Database
from core.errors import DigitlineError, ImageRejected, SourceNotFound, SourceUnreadable, StoreUnreachable
from core.ledger import corrected
from core.ledger.corrected import Reviewed
from core.plain import encodable
from core.settings import Settings
from core.sources import Prefix, source_at, to_path, to_url

#: Columns of the table; the first two are those of a `labels.csv`.
COLUMNS = ("path", "label", "job", "source", "predicted", "confidence", "reviewed_by", "reviewed_at", "sha256")
#: Where Label Studio serves files of its host from, its setting LOCAL_FILES_DOCUMENT_ROOT being `/`.
_LOCAL_FILES = "/data/local-files/?d="
#: Characters of a file's name that are kept before a number is put behind it.
_LONGEST_STEM = 150


@dataclass(slots=True)
class Exported:
    """What came of an export."""

    #: Images by what they were said to show.
    images: Counter[str] = field(default_factory=Counter)
    #: Why an image could not be exported, by its path.
    missing: list[tuple[str, str]] = field(default_factory=list)
    #: Images that show no single digit, which a table of labels has no word for.
    left_out: int = 0


def reviewed_images(database: Database, job_ids: list[int] | None) -> list[Reviewed]:
    """The reviewed images of some jobs, or of all; of a file that was reviewed in several jobs, the last word counts."""
    last: dict[tuple[str, str], Reviewed] = {}
    for image in corrected.every(database, job_ids):
        key = image.source, image.path
        if key not in last or last[key].reviewed_at <= image.reviewed_at:
            last[key] = image
    return list(last.values())


class Files:
    """Reads the files of reviewed images, whatever sources they lie in; use it in a `with`."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes = settings.max_bytes
        self._opened = ExitStack()
        self._sources: dict[str, Images] = {}

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def read(self, image: Reviewed) -> bytes:
        """Read the very bytes that were scored; of a rejected image, what lies there now.

        Raises:
            DigitlineError: the file is gone, cannot be read, or holds other bytes than were scored.
        """
        try:
            data = self._images(image.source).read(image.path)
        except (ImageRejected, SourceNotFound, SourceUnreadable, StoreUnreachable) as error:
            raise DigitlineError(str(error)) from error
        except OSError as error:
            raise DigitlineError(f"It cannot be read: {error.strerror or error}.") from error
        if image.sha256 is not None and hashlib.sha256(data).hexdigest() != image.sha256:
            raise DigitlineError("The file has changed since it was scored.")
        return data

    def _images(self, source: str) -> Images:
        if source not in self._sources:
            images = images_of(source_at(source), max_bytes=self._max_bytes)
            self._sources[source] = self._opened.enter_context(images)
        return self._sources[source]


def class_files(images: Iterable[Reviewed], files: Files, exported: Exported) -> Iterator[tuple[str, bytes]]:
    """The files of class folders, one by one, so that memory does not grow with them.

    Args:
        images: reviewed ones.
        files: reads them.
        exported: told of each, and of what is missing.

    Yields:
        `7/0042.png`, `not_a_digit/blot.png` and their like, each name once, and the bytes.
    """
    taken: set[str] = set()
    for image in images:
        try:
            data = files.read(image)
        except DigitlineError as error:
            exported.missing.append((image.path, str(error)))
            continue
        exported.images[_folder(image)] += 1
        # What is one name here leads out of the folder where `\` parts names, and an archive may be opened there.
        name = PurePosixPath(image.path).name.replace("\\", "_")
        yield _free_name(f"{_folder(image)}/", name, taken), data


def write_folders(images: Iterable[Reviewed], output: Path, settings: Settings) -> Exported:
    """Write class folders `0` to `9`, `not_a_digit` and `several`, of copies of the files.

    Raises:
        DigitlineError: the folder holds something already, or cannot be written.
    """
    exported = Exported()
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise DigitlineError(f"{output} is not empty.", mend="Name a folder that is, or a new one.")
        with Files(settings) as files:
            for name, data in class_files(images, files, exported):
                target = output / name
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(data)
    except OSError as error:
        raise DigitlineError(f"{output} cannot be written: {error.strerror or error}.") from error
    return exported


def write_table(images: Iterable[Reviewed], stream: IO[str]) -> Exported:
    """Write CSV that is a `labels.csv` of the folder; it knows digits alone.

    Args:
        images: reviewed ones.
        stream: of UTF-8 with surrogate escapes, so that every name comes back as it was.
    """
    # Lines end by `\r\n`: a `\r` in a name is quoted only where it is a part of that.
    exported, writer = Exported(), csv.writer(stream)
    writer.writerow(COLUMNS)
    for image in images:
        if image.word.label is None:
            exported.left_out += 1
            continue
        exported.images[_folder(image)] += 1
        known = (image.job_id, image.source, image.predicted, image.confidence)
        said = (image.reviewed_by, image.reviewed_at.isoformat(), image.sha256)
        writer.writerow([image.path, image.word.label, *known, *said])
    return exported


def write_label_studio(images: Iterable[Reviewed], stream: IO[str]) -> Exported:
    """Write a list of tasks with what the model read and what people said, as Label Studio imports and exports it."""
    exported, opened = Exported(), "["
    for image in images:
        exported.images[_folder(image)] += 1
        stream.write(f"{opened}\n{json.dumps(_task(image))}")
        opened = ","
    stream.write("[]\n" if opened == "[" else "\n]\n")
    return exported


def _task(image: Reviewed) -> dict[str, object]:
    data = {
        "image": _address(image),
        "path": encodable(image.path),
        "job": image.job_id,
        "sha256": image.sha256,
        "reviewed_by": image.reviewed_by,
    }
    said = {"result": _choice(str(image.word)), "created_at": image.reviewed_at.isoformat(), "ground_truth": False}
    read = {"model_version": image.model, "score": image.confidence, "result": _choice(str(image.predicted))}
    return {"data": data, "annotations": [said], "predictions": [] if image.predicted is None else [read]}


def _choice(word: str) -> list[dict[str, object]]:
    """One choice; a string is several digits, and its text stands in a field of its own."""
    of_image: dict[str, object] = {"to_name": "image"}
    string = len(word) > 1 and word.isdecimal()
    choice = {
        **of_image,
        "from_name": "digit",
        "type": "choices",
        "value": {"choices": ["several" if string else word]},
    }
    written = {**of_image, "from_name": "string", "type": "textarea", "value": {"text": [word]}}
    return [choice, written] if string else [choice]


def _address(image: Reviewed) -> str:
    source = source_at(image.source)
    if isinstance(source, Prefix):
        return f"{to_url(source)}{quote_from_bytes(os.fsencode(image.path))}"
    return _LOCAL_FILES + quote_from_bytes(os.fsencode(to_path(image.source) / image.path).removeprefix(b"/"))


def _folder(image: Reviewed) -> str:
    return image.word.verdict.value if image.word.label is None else str(image.word.label)


def _free_name(folder: str, name: str, taken: set[str]) -> str:
    """The name, with a number where another file has it already."""
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    free, number = f"{folder}{name}", 1
    # As a file system would take them for the same that does not tell `A` from `a`.
    while free.lower() in taken:
        number += 1
        free = f"{folder}{stem[:_LONGEST_STEM]}-{number}{suffix}"
    taken.add(free.lower())
    return free
