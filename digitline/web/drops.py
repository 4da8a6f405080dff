"""Uploads become drops of the inbox: gathered in a hidden folder beside it, and renamed into it once they are whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from core.errors import DigitlineError, DiskFull
from core.room import check_disk
from core.settings import Settings
from digitline.web.names import drop_name, numbered, safe_path
from digitline.web.rendering import Refused

#: Bytes after which it is looked at again how much is free.
_LOOK_EVERY = 16 * 1024 * 1024
#: Files, or drops, of one name.
_MOST_NUMBERS = 10_000
#: Seconds for which nobody asks whether an upload is held.
_FRESH = 60.0


class TooMuch(Refused):
    """The upload is larger than is allowed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    mend = "Upload it in parts, drop the folder into the inbox, or raise DIGITLINE_WEB_UPLOAD_FILES and _BYTES."


class NothingToScore(Refused):
    """The upload holds no file to score."""

    mend = "Hidden and temporary files are left out."


class Drop:
    """An upload on its way; its files are written one after the other. What is not handed over is gone once it is closed."""

    def __init__(self, settings: Settings) -> None:
        """Make room for it.

        Raises:
            DiskFull: there is less room than the setting `min_free` says.
        """
        check_disk(settings)
        self._settings = settings
        place = uploads_folder(settings)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(place)
        self._folder = Path(tempfile.mkdtemp(dir=place))
        # Held until it is closed: what nobody holds was left behind by a process that died.
        self._held = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._files = self._folder / "files"
        self._files.mkdir()
        self._file: BinaryIO | None = None
        #: Files and bytes so far.
        self.count = self.bytes = 0
        self._unlooked = 0

    def begin(self, given: str) -> None:
        """Begin a file; what is nobody's picture is read and forgotten.

        Args:
            given: its path, as the browser sends it.

        Raises:
            TooMuch: there are more files than are allowed.
            DigitlineError: a file and a folder have the same name.
        """
        path = safe_path(given)
        if path is None:
            return
        self.count += 1
        if self.count > self._settings.web_upload_files:
            raise TooMuch(f"These are more than {self._settings.web_upload_files:,} files.")
        with _room():
            self._file = self._create(self._files / path)

    def write(self, data: bytes) -> None:
        """Go on with the file.

        Raises:
            TooMuch: there are more bytes than are allowed.
            DiskFull: there is no room for them.
        """
        self.bytes += len(data)
        self._unlooked += len(data)
        if self.bytes > self._settings.web_upload_bytes:
            raise TooMuch(f"This is more than {self._settings.web_upload_bytes / 1e6:,.0f} MB.")
        if self._unlooked > _LOOK_EVERY:
            self._unlooked = 0
            check_disk(self._settings)
        if self._file is not None:
            with _room():
                self._file.write(data)

    def end(self) -> None:
        """End the file."""
        if self._file is not None:
            with _room():
                self._file.close()
            self._file = None

    def hand_over(self, name: str) -> str:
        """Rename the drop into the inbox.

        Args:
            name: for a drop that is not one folder, which has a name already.

        Returns:
            What the drop is called there, and its job will be.

        Raises:
            NothingToScore: no file is in it.
        """
        if not self.count:
            raise NothingToScore
        folder = self._files
        entries = list(folder.iterdir())
        if len(entries) == 1 and entries[0].is_dir():
            folder = entries[0]
            name = folder.name
        return self._rename(folder, drop_name(name))

    def close(self) -> None:
        """Remove what was not handed over."""
        if self._file is not None:
            # Not through _room(): what is still to be written of it is not wanted any more.
            with suppress(OSError):
                self._file.close()
        shutil.rmtree(self._folder)
        os.close(self._held)

    def _create(self, path: Path) -> BinaryIO:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise DigitlineError(f"There is a file and a folder {path.parent.name!r}.") from error
        for number in range(1, _MOST_NUMBERS):
            chosen = path if number == 1 else path.with_name(numbered(path.name, number))
            try:
                return chosen.open("xb")
            except FileExistsError:
                continue
        raise TooMuch(f"There are too many files of the name {path.name!r}.")

    def _rename(self, folder: Path, name: str) -> str:
        inbox = self._settings.inbox_folder
        for number in range(1, _MOST_NUMBERS):
            chosen = name if number == 1 else f"{name} ({number})"
            # rename() would replace an empty folder, which is somebody's who is about to fill it.
            if os.path.lexists(inbox / chosen):
                continue
            try:
                folder.rename(inbox / chosen)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    continue
                raise
            return chosen
        raise DigitlineError(f"The inbox is full of drops of the name {name!r}.")


def uploads_folder(settings: Settings) -> Path:
    """Where uploads are gathered: on the file system of the inbox, so that a drop moves by one rename."""
    return settings.claimed_folder.with_name(".uploads")


def _clear(place: Path) -> None:
    """Remove what was left behind."""
    for folder in place.iterdir():
        try:
            held = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its upload has ended meanwhile
        try:
            if time.time() - os.fstat(held).st_mtime < _FRESH:
                continue  # it may not be held yet
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # somebody fills it
        finally:
            os.close(held)


@contextmanager
def _room() -> Iterator[None]:
    """Say what it means that there is no room, or that a name is none here."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                "The disk of the drops is full: the upload was broken off, and nothing of it stays."
            ) from error
        raise DigitlineError(f"A file cannot be written: {error.strerror}.") from error
