"""Files are read some ahead of being decoded, and those of object storage side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from classifier.sources import Images
from worker.seen import Seen

#: Files of a group at the most: enough for a processor to stay with one kind of work, where its caches serve it best.
FILES = 32
#: Bytes from which on a group is complete, so that large files come one by one.
BYTES = 1 << 20

#: A file's position in the manifest, its path and its bytes.
File = tuple[int, str, bytes]


def read_ahead(images: Images, paths: Sequence[str], seen: Seen) -> Iterator[list[File]]:
    """Read files group by group; what cannot be read is kept in `seen`, and in no group.

    Args:
        images: of the source that the paths lie in.
        paths: of the files, as the manifest has them.
        seen: where refusals go.
    """
    group: list[File] = []
    size = 0
    with images.reading(paths) as read:
        for position, path in enumerate(paths):
            with seen.looking_at(position, path):
                data = read(path)
                group.append((position, path, data))
                size += len(data)
            if len(group) == FILES or size >= BYTES:
                yield group
                group, size = [], 0
        yield group
