"""Spoil files at random but repeatably, the way fuzzers do."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence

#: Numbers at which code that counts goes wrong.
_EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Most ways in which one file is spoilt at once.
_MOST = 4
#: Longest piece that is taken out, repeated or put in, in bytes.
_PIECE = 64


def mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Spoil a file in one to four ways; in half of the cases its checksums are mended.

    Args:
        data: a file.
        others: files that pieces are taken from.
        rng: decides everything, so that equal states give equal files.
    """
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, _MOST)):
        if spoilt:
            rng.choice(_WAYS)(spoilt, others, rng)
    return mended(bytes(spoilt)) if rng.random() < 0.5 else bytes(spoilt)


def mended(data: bytes) -> bytes:
    """Make the checksums of a PNG's chunks right, else all that is found is that they are wrong."""
    if not data.startswith(_SIGNATURE):
        return data
    whole, at = bytearray(data), len(_SIGNATURE)
    while at + 12 <= len(whole):
        end = at + 8 + struct.unpack_from(">I", whole, at)[0]
        if end + 4 > len(whole):
            break
        struct.pack_into(">I", whole, end, zlib.crc32(whole[at + 4 : end]))
        at = end + 4
    return bytes(whole)


def _flip(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    data[rng.randrange(len(data))] = rng.randrange(256)


def _count_wrong(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    number = rng.choice(_EDGES)
    width = rng.choice([size for size in (1, 2, 4) if number < 1 << 8 * size])
    at = rng.randrange(len(data))
    data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))


def _cut(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _take_out(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, _PIECE)]


def _repeat(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randint(1, _PIECE)]


def _insert(data: bytearray, _: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randint(1, _PIECE))


def _transplant(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start = rng.randrange(len(other))
    piece = other[start : start + rng.randint(1, _PIECE)]
    at = rng.randrange(len(data))
    data[at : at + len(piece)] = piece


_WAYS: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip,
    _replace,
    _count_wrong,
    _cut,
    _take_out,
    _repeat,
    _insert,
    _transplant,
)
