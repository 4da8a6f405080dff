"""Folders of real digits for tests: the MNIST samples as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from digitline.samples import FOLDER, write_samples
from training.idx import read_idx


def digit_folder(folder: Path, count: int) -> Path:
    """Write the first `count` sample digits into class folders; returns the folder."""
    write_samples(folder, count)
    return folder


def loose_digits(folder: Path, count: int) -> list[Path]:
    """Write sample digits side by side into one folder, without a label in any name."""
    staging = folder.with_name(folder.name + "-staging")
    write_samples(staging, count)
    folder.mkdir(parents=True)
    moved = [path.rename(folder / f"scan-{path.name}") for path in sorted(staging.glob("*/*.png"))]
    for empty in [*staging.iterdir(), staging]:
        empty.rmdir()
    return moved


def string_picture(path: Path, samples: Sequence[int]) -> str:
    """Write a scan that shows some of the sample digits side by side, dark on light; returns what it says."""
    images = read_idx(FOLDER / "t10k-images-idx3-ubyte.gz")[list(samples)]
    labels = read_idx(FOLDER / "t10k-labels-idx1-ubyte.gz")[list(samples)]
    row = np.hstack([np.pad(image, ((10, 10), (2, 2))) for image in images])
    page = np.pad(cv2.resize(row, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), 40)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), 230 - (page * 0.8).astype(np.uint8)):
        raise OSError(f"{path} cannot be written.")
    return "".join(map(str, labels))


def files_below(folder: Path) -> set[str]:
    """Every file below a folder, relative."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
