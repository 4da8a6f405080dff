"""Names that a browser sends, made safe for a folder here and still what people called them."""

from __future__ import annotations

from pathlib import PurePosixPath

from scheduler.names import ignored

#: Bytes of a name at most, with room for the number of a second file of that name, and folders in one another.
LONGEST_NAME, DEEPEST = 200, 8

#: What has a meaning of its own on one system or another, and what stands for it.
_FORBIDDEN = str.maketrans(dict.fromkeys('\\/:*?"<>|', "_"))


def safe_path(given: str) -> PurePosixPath | None:
    """Where an uploaded file belongs below its drop; None where it is nobody's picture.

    Hidden and temporary files are left out, as the inbox leaves them alone; so is whatever would lead out of the drop.

    Args:
        given: as the browser sends it, `/` between the folders.
    """
    names = [part for part in given.split("/") if part]
    safe = [safe_name(name) for name in names]
    # Also before anything is replaced, or what is hidden would not be any more.
    if not names or len(names) > DEEPEST or any(map(ignored, [name.strip() for name in names] + safe)):
        return None
    return PurePosixPath(*safe)


def drop_name(given: str) -> str:
    """A safe name for a drop, which the inbox does not take for one that is nobody's."""
    name = safe_name(given)
    return f"_{name}_" if ignored(name) else name


def safe_name(given: str) -> str:
    """One name without anything that another system, a terminal or a page takes for more than a name.

    Args:
        given: not empty.
    """
    harmless = "".join(character if character.isprintable() else "_" for character in given.translate(_FORBIDDEN))
    name = _shortened(harmless.strip().strip("."))
    return name or "_"


def numbered(name: str, number: int) -> str:
    """The name for a second, third... file of that name: `a (2).png`."""
    path = PurePosixPath(name)
    return f"{path.stem} ({number}){path.suffix}"


def _shortened(name: str) -> str:
    """Cut out of the middle, so that the beginning and the kind of the file stay."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    suffix = PurePosixPath(name).suffix[:10]
    stem = name.encode()[: LONGEST_NAME - len(suffix.encode())].decode(errors="ignore")
    return stem + suffix
