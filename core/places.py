"""Where a line keeps what: all of it follows from the settings `home` and `inbox`."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic_settings import BaseSettings

#: Longest path of a unix socket that every platform takes (104 bytes on macOS, 108 on Linux, one for the NUL).
_SOCKET_PATH_LIMIT = 103


class Places(BaseSettings):
    """The two settings that say where everything lies, and all that follows from them."""

    #: Folder of the line's whole state: inbox, claimed, done, failed, database, logs, embedded Redis.
    home: Path = Path("digitline-home")
    #: Folder that is watched; default: `inbox` in the home.
    inbox: Path | None = None

    @property
    def home_folder(self) -> Path:
        """The home as an absolute path."""
        return self.home.expanduser().absolute()

    @property
    def inbox_folder(self) -> Path:
        """Where people drop images."""
        return (self.inbox or self.home_folder / "inbox").expanduser().absolute()

    @property
    def claimed_folder(self) -> Path:
        """Where claimed drops lie while they are scored; one file system with the inbox, so that a claim is a rename."""
        return self._beside_the_inbox("claimed")

    @property
    def done_folder(self) -> Path:
        """Where scored drops are filed."""
        return self._beside_the_inbox("done")

    @property
    def failed_folder(self) -> Path:
        """Where drops are filed of which not one image was scored, or whose job was cancelled."""
        return self._beside_the_inbox("failed")

    @property
    def drop_folders(self) -> tuple[Path, ...]:
        """What drops move through, in this order: inbox, claimed, done, failed."""
        return self.inbox_folder, self.claimed_folder, self.done_folder, self.failed_folder

    @property
    def logs_folder(self) -> Path:
        """Where every process writes its log."""
        return self.home_folder / "logs"

    @property
    def lock_file(self) -> Path:
        """Held by the `digitline up` of this home."""
        return self.home_folder / "up.lock"

    @property
    def heartbeat_file(self) -> Path:
        """Touched by the scheduler at every turn of its loop."""
        return self.home_folder / "scheduler.alive"

    @property
    def socket(self) -> Path:
        """Unix socket of the embedded Redis-compatible server.

        In the home, or where that path is too long for a socket, in a private folder named after it.
        """
        inside = self.home_folder / "redis" / "redis.sock"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home_folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"digitline-{os.getuid()}-{digest}" / "redis.sock"

    def _beside_the_inbox(self, name: str) -> Path:
        return self.inbox_folder.parent / name
