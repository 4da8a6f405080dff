"""Flower's process, on this line's queue and with the configuration of deploy/flowerconfig.py."""

from __future__ import annotations

import ipaddress
import os
from importlib import import_module
from pathlib import Path

from core.errors import SettingsError
from core.queues import get_app
from core.settings import Settings

CONFIGURATION = Path(__file__).resolve().parent.parent / "deploy" / "flowerconfig.py"


def run(settings: Settings, *, port: int | None = None) -> None:
    """Run Flower until it is told to stop.

    Raises:
        SettingsError: it would listen beyond loopback without a password.
    """
    check(settings)
    if settings.flower_auth is None:
        # Nobody but this machine's users reaches it, and they may use Redis itself.
        os.environ["FLOWER_UNAUTHENTICATED_API"] = "true"
    if port is not None:
        os.environ["DIGITLINE_FLOWER_PORT"] = str(port)
    _guard_metrics()
    get_app().start(["flower", f"--conf={CONFIGURATION}"])


def check(settings: Settings) -> None:
    """Refuse an address that others reach where no password is set.

    Raises:
        SettingsError: so it is.
    """
    if settings.flower_auth is None and not _is_loopback(settings.flower_address):
        raise SettingsError(
            f"Flower would listen on {settings.flower_address} without a password.",
            mend="Set DIGITLINE_FLOWER_AUTH=user:password, or DIGITLINE_FLOWER_ADDRESS=127.0.0.1.",
        )


def _guard_metrics() -> None:
    """Have Flower ask for its password before it shows the metrics, which name workers and tasks, as for all else."""
    # Imported here, in Flower's own process: every other one of the line would wait half a second for it.
    metrics = import_module("flower.views.monitor").Metrics
    metrics.get = import_module("tornado.web").authenticated(metrics.get)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
