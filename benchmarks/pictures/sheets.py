"""Contact sheets: some forty pictures of a generator with what they show and what was read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.pictures.bench import Reading, Row, seen
from benchmarks.pictures.ink import Picture
from training.dataset import Digits

#: Pictures across and down.
ACROSS, DOWN = 8, 5
#: Side of a picture, width of its frame, and height of the line below it, in pixels.
_SIDE, _FRAME, _LINE = 150, 4, 18
_RED, _GREY, _BLACK = (40, 40, 220), (190, 190, 190), (30, 30, 30)
_BACK = 235


def write_sheet(folder: Path, row: Row, digits: Digits) -> Path:
    """Write the contact sheet of a generator as PNG.

    Args:
        folder: where to; it is there.
        row: what was read.
        digits: as they were read, for the pictures are made again.

    Returns:
        The file, named after the generator.
    """
    cells = [_cell(row.generator.example(digits, reading.index).image, reading) for reading in chosen(row)]
    blank = np.full_like(cells[0], _BACK)
    cells += [blank] * (-len(cells) % ACROSS)
    lines = [np.hstack(cells[start : start + ACROSS]) for start in range(0, len(cells), ACROSS)]
    path = folder / f"{row.generator.name}.png"
    path.write_bytes(cv2.imencode(".png", np.vstack(lines))[1].tobytes())
    return path


def chosen(row: Row) -> list[Reading]:
    """What a sheet shows: wrong readings first, up to half of it, then right ones."""
    room = ACROSS * DOWN
    wrong = [reading for reading in row.readings if not reading.right]
    right = [reading for reading in row.readings if reading.right]
    first = wrong[: max(room // 2, room - len(right))]
    return [*first, *right[: room - len(first)]]


def _cell(image: Picture | bytes, reading: Reading) -> Picture:
    """A picture in its frame, red where it was read wrong, and a line below."""
    picture = seen(image)
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    cell: Picture = np.full((_SIDE + 2 * _FRAME + _LINE, _SIDE + 2 * _FRAME, 3), _BACK, np.uint8)
    cell[: _SIDE + 2 * _FRAME] = _GREY if reading.right else _RED
    top, left = _FRAME + (_SIDE - size[1]) // 2, _FRAME + (_SIDE - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    said = f"{reading.truth or 'none'}: {reading.text or '-'} {reading.outcome}"
    at = (_FRAME, len(cell) - 5)
    cv2.putText(cell, said, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, _BLACK if reading.right else _RED, 1, cv2.LINE_AA)
    return cell
