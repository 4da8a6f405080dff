"""Files' bytes become prepared digits, or reasons why they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from classifier.images import decode
from classifier.preprocess import Image
from classifier.strings import ways_to_read
from core.crash import crash_point
from worker.reading import File, grouped
from worker.seen import PICTURES_FAULT, Seen, Ways

#: Told what has just been done: `decode`, then `preprocess`.
Lap = Callable[[str], None]

#: A file's position in the manifest, its path, its bytes and its picture.
_Decoded = tuple[int, str, bytes, Image]


class Look(Protocol):
    """What looks at files."""

    def see(self, files: Sequence[File], seen: Seen, lap: Lap) -> None:
        """Look at a group of files; what each holds, or why it holds nothing, goes to `seen`."""


@dataclass(frozen=True, slots=True)
class Eye:
    """Looks at files in this process."""

    #: A picture of more is refused.
    max_pixels: int
    #: Whether a picture may show several digits.
    split: bool

    def see(self, files: Sequence[File], seen: Seen, lap: Lap) -> None:
        """As `Look.see`: decodes some, then prepares them, for each kind of work stays in the processor's caches."""
        for pictures in grouped(self._decoded(files, seen), lambda decoded: decoded[3].nbytes):
            lap("decode")
            self._prepare(pictures, seen)
            pictures.clear()  # or a large one would be held while the next is decoded
            lap("preprocess")

    def look(self, data: bytes, path: str) -> Ways:
        """Decode one file and prepare its digits, in every way in which they may lie.

        Args:
            data: the file's bytes.
            path: of the file, for people to read.

        Raises:
            ImageRejected: the file or its picture is at fault.
        """
        return ways_to_read(self._decode(data, path), split=self.split)

    def _prepare(self, pictures: Sequence[_Decoded], seen: Seen) -> None:
        for position, path, data, picture in pictures:
            try:
                seen.add(position, data, ways_to_read(picture, split=self.split))
            except PICTURES_FAULT as error:
                seen.refuse(position, path, error)

    def _decoded(self, files: Sequence[File], seen: Seen) -> Iterator[_Decoded]:
        for position, path, data in files:
            try:
                picture = self._decode(data, path)
            except PICTURES_FAULT as error:
                seen.refuse(position, path, error)
                continue
            yield position, path, data, picture
            del picture

    def _decode(self, data: bytes, path: str) -> Image:
        crash_point(f"look.{path}")
        return decode(data, max_pixels=self.max_pixels)
