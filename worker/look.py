"""One file's bytes become prepared digits, or a reason why they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from classifier.images import decode
from classifier.preprocess import Image
from classifier.strings import ways_to_read
from core.crash import crash_point

#: Of every piece of a picture's ink the ways to read it, each of them digits, uint8, (28, 28), ink bright on 0.
Ways: TypeAlias = Sequence[Sequence[Sequence[Image]]]

#: From a file's bytes and its path to its ways; raises ImageRejected.
Look: TypeAlias = Callable[[bytes, str], Ways]


@dataclass(frozen=True, slots=True)
class Eye:
    """Looks at files in this process."""

    #: A picture of more is refused.
    max_pixels: int
    #: Whether a picture may show several digits.
    split: bool
    #: Told what has just been done: `decode`, then `preprocess`.
    lap: Callable[[str], None] = field(default=lambda _: None, compare=False)

    def look(self, data: bytes, path: str) -> Ways:
        """Decode a file and prepare its digits, in every way in which they may lie.

        Args:
            data: the file's bytes.
            path: of the file, for people to read.

        Raises:
            ImageRejected: the file or its picture is at fault.
        """
        crash_point(f"look.{path}")
        image = decode(data, max_pixels=self.max_pixels)
        self.lap("decode")
        ways = ways_to_read(image, split=self.split)
        self.lap("preprocess")
        return ways
