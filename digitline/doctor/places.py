"""Folders: are they there, may they be written, can drops be moved, is there room."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from core import objects, room
from core.errors import DiskFull, LineError
from core.settings import Settings
from digitline.doctor.finding import Caution
from digitline.doctor.mounts import mount_of

#: Bytes of free disk, and files that may still be made, under which the doctor frowns.
_LITTLE_DISK = 1 << 30
_FEW_FILES = 10_000


def folders(settings: Settings) -> str:
    """The four folders of drops are there, and this process's user may write in each."""
    for folder in settings.drop_folders:
        # Looked for, not made: whoever asks a doctor wants to know, and maybe stands in the wrong place.
        if not folder.is_dir():
            mend = "Run `digitline up`, which makes it, or name the home of a line with DIGITLINE_HOME."
            raise LineError(f"There is no folder {folder}: no line has run here.", mend=mend)
        _write(folder)
    return f"this user may write in {', '.join(folder.name for folder in settings.drop_folders)}"


def _write(folder: Path) -> None:
    try:
        # Tried, for what the rights say is not all: a share may be mounted to be read, or take root for nobody.
        with tempfile.NamedTemporaryFile(prefix=".doctor-", dir=folder):
            return
    except OSError as error:
        who = f"user {os.geteuid()}"
        mend = f"Give {who} the right to write there, or run the line as the user whose folder it is."
        raise LineError(f"{folder} cannot be written by {who}: {error.strerror}.", mend=mend) from error


def inbox(settings: Settings) -> str:
    """A drop can be moved by one rename, and what announces it is known."""
    mounts = [mount_of(folder) for folder in settings.drop_folders]
    apart = {mount.point for mount in mounts if mount is not None}
    devices = {folder.stat().st_dev for folder in settings.drop_folders}
    if len(apart) > 1 or len(devices) > 1:
        where = ", ".join(sorted(map(str, apart))) or f"{len(devices)} of them"
        raise LineError(
            f"inbox, claimed, done and failed lie on several file systems: {where}.",
            mend="Put them on one: a drop moves from one to the next by a rename. In containers, mount the folder above.",
        )
    kind = "" if mounts[0] is None else mounts[0].kind
    if mounts[0] is not None and mounts[0].of_network:
        # No fault: events are hints, the regular look is what counts.
        return f"{settings.inbox_folder} on {kind}: seen by a look each {settings.scan_interval:g} s, not announced"
    return f"{settings.inbox_folder} on {kind or 'one file system'}"


def buckets(settings: Settings) -> str:
    """The inboxes in object storage can be listed."""
    for prefix in settings.inbox_prefixes:
        objects.get_store().check(prefix)
    return f"inboxes {', '.join(map(str, settings.inbox_prefixes))}" if settings.inbox_prefixes else "no inbox in one"


def disk(settings: Settings) -> str:
    """There is room where drops and the home lie."""
    room.check_disk(settings)
    left: list[int] = []
    for place in dict.fromkeys((settings.inbox_folder, settings.home_folder)):
        free = shutil.disk_usage(place).free
        if free < _LITTLE_DISK:
            raise Caution(f"Only {free / 1e9:.1f} GB are free at {place}.", mend=DiskFull.mend)
        files = os.statvfs(place)
        if files.f_files and files.f_favail < _FEW_FILES:
            mend = "Remove files, whatever their size: old folders in done/."
            raise Caution(f"{place} has room for {files.f_favail:,} files more.", mend=mend)
        left.append(free)
    return f"{min(left) / 1e9:.0f} GB free"
