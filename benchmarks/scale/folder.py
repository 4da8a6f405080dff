"""The folder that is submitted: as many files as are asked for, all of them hard links to the shipped samples."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from digitline.samples import write_samples

#: Different images, and images in a block of the folder.
BLOCK = 10_000


def make_linked_folder(folder: Path, images: int) -> None:
    """Fill a folder with blocks of 10,000 images, each with class folders: `017/3/00042.png`.

    A file system gives an inode tens of thousands of names at the most (ext4: 65,000); a million images need a hundred.

    Args:
        folder: to make; it must not be there.
        images: how many.
    """
    originals = folder / "000"
    write_samples(originals, min(images, BLOCK))
    names = sorted(str(path.relative_to(originals)) for path in originals.rglob("*.png"))
    for number in range(1, -(-images // BLOCK)):
        block = folder / f"{number:03}"
        for label in range(10):
            (block / str(label)).mkdir(parents=True)
        for name in islice(names, images - number * BLOCK):
            os.link(originals / name, block / name)
