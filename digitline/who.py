"""Who gives a command."""

from __future__ import annotations

import getpass
import os


def user_name() -> str:
    """Name of the user, for people to read."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"user {os.getuid()}"
