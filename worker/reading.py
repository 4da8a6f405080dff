"""Files are read some ahead of being decoded, and those of object storage side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from classifier.sources import Images
from worker.seen import PICTURES_FAULT, Seen

#: Items of a group at the most: enough for a processor to stay with one kind of work, where its caches serve it best.
ITEMS = 32
#: Bytes from which on a group is complete, so that what is large comes one by one.
BYTES = 1 << 20

#: A file's position in the manifest, its path and its bytes.
File = tuple[int, str, bytes]

_Item = TypeVar("_Item")


def grouped(items: Iterable[_Item], size: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Take items group by group.

    Args:
        items: made one by one, each when its group is made.
        size: bytes of an item.
    """
    group: list[_Item] = []
    held = 0
    for item in items:
        group.append(item)
        held += size(item)
        del item  # the group alone holds it, and whoever takes the group may let go of it
        if len(group) == ITEMS or held >= BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def read_ahead(images: Images, paths: Sequence[str], seen: Seen) -> Iterator[list[File]]:
    """Read files group by group; what cannot be read is kept in `seen`, and in no group.

    Args:
        images: of the source that the paths lie in.
        paths: of the files, as the manifest has them.
        seen: where refusals go.
    """
    return grouped(_read(images, paths, seen), lambda file: len(file[2]))


def _read(images: Images, paths: Sequence[str], seen: Seen) -> Iterator[File]:
    with images.reading(paths) as read:
        for position, path in enumerate(paths):
            try:
                data = read(path)
            except PICTURES_FAULT as error:
                seen.refuse(position, path, error)
            else:
                yield position, path, data
