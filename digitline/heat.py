"""A confusion matrix as a heat map of a page: each cell with its shade, by name, for a page may hold no style of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import DIGITS, Cell

#: Shares of the images of a digit from which a shade is used, the palest first: of those that are read right, and wrong.
_RIGHT = (0.0, 0.8, 0.95, 0.98, 0.995)
_WRONG = (0.0, 0.002, 0.01, 0.05, 0.2)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell."""

    images: int
    #: `right-1` to `right-5` on the diagonal, `wrong-1` to `wrong-5` off it, the palest first; empty where there is none.
    shade: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """The images of one digit."""

    #: By the label that they were read as.
    cells: Sequence[HeatCell]
    #: Those in which no single digit was read.
    unread: HeatCell
    #: All of them.
    images: int


def confusion(cells: Sequence[Cell]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A ledger's cells as arrays.

    Returns:
        int64, (10, 10): the scored images by true and predicted label; int64, (10,): the others by true label.
    """
    matrix, unread = np.zeros((DIGITS, DIGITS), np.int64), np.zeros(DIGITS, np.int64)
    for cell in cells:
        if cell.predicted is None:
            unread[cell.actual] += cell.count
        else:
            matrix[cell.actual, cell.predicted] += cell.count
    return matrix, unread


def heat(matrix: NDArray[np.int64], unread: NDArray[np.int64]) -> list[HeatRow]:
    """Shade a confusion matrix.

    Args:
        matrix: int64, (10, 10), rows actual, columns predicted.
        unread: int64, (10,): images in which no single digit was read, by true label.
    """
    rows = []
    for actual in range(DIGITS):
        whole = int(matrix[actual].sum() + unread[actual])
        cells = [_cell(int(images), whole, right=actual == read) for read, images in enumerate(matrix[actual])]
        rows.append(HeatRow(cells, _cell(int(unread[actual]), whole, right=False), whole))
    return rows


def _cell(images: int, whole: int, *, right: bool) -> HeatCell:
    if not images:
        return HeatCell(0, "")
    limits = _RIGHT if right else _WRONG
    level = sum(images / whole >= limit for limit in limits)
    return HeatCell(images, f"{'right' if right else 'wrong'}-{level}")
