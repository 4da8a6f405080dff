"""Names that mean something: what is nobody's picture, what is still on its way, and what its sender tells us by."""

from __future__ import annotations

LABELS_FILE = "labels.csv"
#: A drop is complete at once where this file lies in it.
READY_FILE = "_READY"

_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "icon\r", READY_FILE.lower()})
#: What browsers, sftp and scp clients and sync tools call a file that is still on its way.
_UPLOAD_SUFFIXES = (".part", ".filepart", ".partial", ".crdownload", ".download", ".tmp", ".temp")
_IGNORED_SUFFIXES = (*_UPLOAD_SUFFIXES, ".swp", ".swx", "~")
_IGNORED_PREFIXES = (".", "~$", "#")


def ignored(name: str) -> bool:
    """True for what is nobody's picture: hidden, temporary and editor files, a system's thumbnails."""
    lower = name.lower()
    return lower in _IGNORED_NAMES or lower.startswith(_IGNORED_PREFIXES) or lower.endswith(_IGNORED_SUFFIXES)


def on_its_way(name: str) -> bool:
    """True for the temporary name of an upload, which will be renamed once it is complete."""
    return name.lower().endswith(_UPLOAD_SUFFIXES)
