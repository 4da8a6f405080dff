"""Folders of real digits for tests: the MNIST samples as PNG files."""

from __future__ import annotations

from pathlib import Path

from digitline.samples import write_samples


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


def files_below(folder: Path) -> set[str]:
    """Every file below a folder, relative."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
