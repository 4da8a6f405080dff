"""What a source holds: its files in stable order, their true labels, and the batches they are cut into.

A source is a folder, or a prefix of object storage, which `scheduler.prefix` looks into.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

from core.errors import LabelsError, SourceEmpty, SourceNotFound, SourceUnreadable
from core.sources import OPEN_TO_READ, Prefix, Source
from core.vocabulary import DIGITS, Labels, Manifest
from scheduler.names import LABELS_FILE, ignored
from scheduler.prefix import find_objects, table_of

#: Largest labels.csv that is read, bytes; over a million lines.
_LABELS_LIMIT = 64 * 1024 * 1024

#: Paths that are kept as one string, and what no path holds.
_BLOCK, _SEPARATOR = 256, "\0"


class Paths(Sequence[str]):
    """Paths to be read in their order, in a quarter of the memory that a list of them takes."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._blocks: list[str] = []
        self._length = 0
        for block in _blocks_of(paths, _BLOCK):
            self._blocks.append(_SEPARATOR.join(block))
            self._length += len(block)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from block.split(_SEPARATOR)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return list(self)[index]


def list_files(root: Source) -> list[str]:
    """Every file below a source that is to be scored, sorted, relative, `/` between the parts.

    Raises:
        SourceNotFound, SourceUnreadable, StoreUnreachable, SourceEmpty: as `find_files`.
    """
    return list(find_files(root))


def find_files(root: Source) -> Paths:
    """What `list_files` lists, of a source that may hold a million.

    Folders are not followed through symbolic links; a link itself is listed, so that it is rejected in plain sight.

    Raises:
        SourceNotFound: there is no such folder or bucket.
        SourceUnreadable: it, or a folder in it, may not be read; the message names which.
        StoreUnreachable: the object store does not answer.
        SourceEmpty: it holds no file to score.
    """
    if isinstance(root, Prefix):
        files = Paths(entry.path for entry in find_objects(root))
    else:
        _check_folder(root)
        files = Paths(_walk(root))
    if not files:
        raise SourceEmpty(f"{root} holds no file to score.", mend="Hidden and temporary files are left alone.")
    return files


def true_labels(root: Source, files: Iterable[str], labels: Labels) -> list[int | None] | None:
    """The true label of each file, None where unknown; None as a whole where no file has one.

    Args:
        root: the source; its own name counts as the class folder of files that lie directly in it.
        files: as `list_files` or `find_files` gives them.
        labels: where to look. `auto` takes labels.csv if there is one, else class folders.

    Raises:
        LabelsError: what was asked for by name is missing, or labels.csv has a line that cannot be right.
        SourceNotFound, SourceUnreadable, StoreUnreachable: the bucket cannot be read now.
    """
    if labels is Labels.NONE:
        return None
    table = None if labels is Labels.FOLDERS else _table(root)
    if table is not None:
        listed = read_labels(f"{_within(root)}{LABELS_FILE}", table, set(files))
        found = [listed.get(file) for file in files]
    elif labels is Labels.CSV:
        raise LabelsError(f"{_within(root)}{LABELS_FILE} cannot be read: there is none.")
    else:
        name = root.name  # made anew whenever it is asked for, and there may be a million files
        found = [_class_folder(name, file) for file in files]
    if any(label is not None for label in found):
        return found
    if labels is Labels.FOLDERS:
        raise LabelsError(f"{root} has no class folders.", mend="Put the images into folders named 0 to 9.")
    return None


def read_labels(table: str, content: bytes, files: set[str]) -> dict[str, int]:
    """Read a labels.csv: `path,label` a line, a header line allowed.

    Args:
        table: where it lies, for people.
        content: its bytes.
        files: that it may name.

    Raises:
        LabelsError: a line is wrong; the message names it.
    """
    found: dict[str, int] = {}
    try:
        # Line by line: as one string, or as a list of all rows, a million lines would take hundreds of megabytes.
        stream = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", "surrogateescape", newline="")
        rows = ((number, row) for number, row in enumerate(csv.reader(stream), start=1) if row)
        for place, (number, row) in enumerate(rows):
            if place == 0 and [cell.strip().lower() for cell in row[:2]] == ["path", "label"]:
                continue
            path, label = _labelled(table, number, row, files)
            if found.setdefault(path, label) != label:
                raise LabelsError(f"{table}, line {number}: {path!r} has two labels, {found[path]} and {label}.")
    except csv.Error as error:
        raise LabelsError(f"{table} cannot be read: {error}.") from error
    return found


def cut(files: Iterable[str], labels: Sequence[int | None] | None, size: int) -> list[Manifest]:
    """Cut files into batches of `size`, in order; the last one may be smaller."""
    return [
        Manifest(Paths(block), None if labels is None else labels[number * size : (number + 1) * size])
        for number, block in enumerate(_blocks_of(files, size))
    ]


def _blocks_of(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(paths)
    while block := list(islice(left, size)):
        yield block


def _walk(root: Path) -> Iterator[str]:
    """Every file to score, sorted; its own stack, since a sender may nest folders deeper than Python recurses."""
    opened = [iter(_entries(root, ""))]
    while opened:
        entry = next(opened[-1], None)
        if entry is None:
            opened.pop()
        elif entry.endswith("/"):
            opened.append(iter(_entries(root, entry)))
        else:
            yield entry


def _entries(root: Path, prefix: str) -> list[str]:
    """What is to be looked at in one folder, by its path, in the order of all paths below; a folder's ends in `/`."""
    try:
        with os.scandir(root / prefix) as found:
            return sorted(
                f"{prefix}{entry.name}/" if entry.is_dir(follow_symlinks=False) else prefix + entry.name
                for entry in found
                if not ignored(entry.name) and (prefix or not _is_table(entry))
            )
    except OSError as error:
        raise _unreadable(root / prefix, error) from error


def _is_table(entry: os.DirEntry[str]) -> bool:
    return entry.name == LABELS_FILE and not entry.is_dir(follow_symlinks=False)


def _unreadable(folder: Path, error: OSError) -> SourceUnreadable:
    return SourceUnreadable(f"{folder} cannot be read: {error.strerror}.", mend="Check its rights.")


def _check_folder(root: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(f"There is no folder {root}.", mend="Check the path.") from error
    except OSError as error:
        raise _unreadable(root, error) from error
    if not is_folder:
        raise SourceNotFound(f"{root} is no folder.", mend="Give the folder that holds the images.")


def _within(root: Source) -> str:
    return str(root) if isinstance(root, Prefix) else f"{root}/"


def _table(root: Source) -> bytes | None:
    """The bytes of a source's labels.csv; None where nothing has its name but a folder, which is one like any other."""
    if isinstance(root, Prefix):
        return table_of(root, _LABELS_LIMIT)
    table = root / LABELS_FILE
    try:
        return None if stat.S_ISDIR(table.lstat().st_mode) else _read_regular(table)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabelsError(f"{table} cannot be read: {error}.") from error


def _read_regular(table: Path) -> bytes:
    """The bytes of a table that lies in the folder itself: a link would show its sender what only we may read."""
    if table.is_symlink():
        raise LabelsError(f"{table} is a link.", mend="Put the table itself there.")
    # The flags hold what the line above saw: the file may be another one by now. A pipe must not make us wait.
    descriptor = os.open(table, OPEN_TO_READ)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LabelsError(f"{table} is no file.", mend="Put a table of `path,label` there, or take it away.")
        content = stream.read(_LABELS_LIMIT + 1)
    if len(content) > _LABELS_LIMIT:
        limit = _LABELS_LIMIT // 1024**2
        raise LabelsError(f"{table} is larger than {limit} MiB.", mend="Drop the images in several folders.")
    return content


def _class_folder(root_name: str, file: str) -> int | None:
    folder = file.rsplit("/", 2)[-2] if "/" in file else root_name
    return int(folder) if len(folder) == 1 and folder in "0123456789" else None


def _labelled(table: str, number: int, row: Sequence[str], files: set[str]) -> tuple[str, int]:
    if len(row) < 2:
        raise LabelsError(f"{table}, line {number}: expected path,label, found {','.join(row)!r}.")
    path, label = row[0].strip().replace("\\", "/").removeprefix("./"), row[1].strip()
    if path not in files:
        raise LabelsError(f"{table}, line {number}: there is no file {path!r} in the folder.")
    if not (label.isascii() and label.isdecimal() and int(label) < DIGITS):
        raise LabelsError(f"{table}, line {number}: the label {label!r} of {path!r} is no digit from 0 to 9.")
    return path, int(label)
