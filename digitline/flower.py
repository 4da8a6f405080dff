"""Flower's process, on this line's queue and with the configuration of deploy/flowerconfig.py."""

from __future__ import annotations

import errno
import os
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import LineError, SettingsError
from core.queues import get_app
from core.settings import Settings
from digitline.loopback import is_loopback
from digitline.web import address as web_address

CONFIGURATION = Path(__file__).resolve().parent.parent / "deploy" / "flowerconfig.py"
#: What a system says of a port that is taken, and of an address that is not this host's.
_CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


def run(settings: Settings, *, port: int | None = None) -> None:
    """Run Flower until it is told to stop.

    Raises:
        SettingsError: it would listen beyond loopback without a password.
        LineError: the address cannot be listened on.
    """
    check(settings)
    if settings.flower_auth is None:
        # Nobody but this machine's users reaches it, and they may use Redis itself.
        os.environ["FLOWER_UNAUTHENTICATED_API"] = "true"
    if port is not None:
        os.environ["DIGITLINE_FLOWER_PORT"] = str(port)
    # Imported here, in Flower's own process: every other one of the line would wait half a second for it.
    page = import_module("digitline.flower_page")
    page.install()
    command: Any = import_module("flower.command")
    command.Flower = page.Page
    try:
        get_app().start(["flower", f"--conf={CONFIGURATION}"])
    except OSError as error:
        if not isinstance(error, socket.gaierror) and error.errno not in _CANNOT_LISTEN:
            raise
        where = f"{settings.flower_address}, port {settings.flower_port if port is None else port}"
        raise LineError(
            f"Flower cannot be served on {where}: {error.strerror}.",
            mend="Set DIGITLINE_FLOWER_PORT to a port that is free, or DIGITLINE_FLOWER_ADDRESS to an address of this host.",
        ) from error


def url(settings: Settings, port: int) -> str:
    """Where a browser of this machine finds Flower."""
    return web_address.url(settings.flower_address, port) + (settings.flower_url_prefix or "")


def check(settings: Settings) -> None:
    """Refuse an address that others reach where no password is set.

    Raises:
        SettingsError: so it is.
    """
    login = settings.flower_auth.get_secret_value() if settings.flower_auth is not None else ""
    if not login.isascii():
        raise SettingsError("DIGITLINE_FLOWER_AUTH makes no sense: Flower knows no password but of ASCII characters.")
    if not login and not is_loopback(settings.flower_address):
        raise SettingsError(
            f"Flower would listen on {settings.flower_address} without a password.",
            mend="Set DIGITLINE_FLOWER_AUTH=user:password, or DIGITLINE_FLOWER_ADDRESS=127.0.0.1.",
        )
