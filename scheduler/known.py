"""Files that were submitted before, each with a number that is another one where its bytes are."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

#: Parts in which what is known is sorted.
_PARTS = 256


class KnownFiles:
    """Paths and numbers, kept as one number a pair: a million take 8 MB, where a set would take 100."""

    def __init__(self, files: Iterable[tuple[str, int]]) -> None:
        numbers = [array("q") for _ in range(_PARTS)]
        for file in files:
            number = hash(file)
            numbers[number % _PARTS].append(number)
        # Part by part, for Python sorts no array in its place, and lets no other thread run while it sorts.
        self._parts = [array("q", sorted(part)) for part in _taken_one_by_one(numbers)]

    def __contains__(self, file: tuple[str, int]) -> bool:
        number = hash(file)
        part = self._parts[number % _PARTS]
        at = bisect_left(part, number)
        return at < len(part) and part[at] == number


def _taken_one_by_one(parts: list[array[int]]) -> Iterator[array[int]]:
    """Each part, which nobody else holds from then on."""
    parts.reverse()
    while parts:
        yield parts.pop()
