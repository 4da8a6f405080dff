"""Where the page is served, and whether it may be."""

from __future__ import annotations

from core.errors import SettingsError
from core.settings import Settings
from digitline.loopback import is_loopback


def check(settings: Settings, address: str | None = None) -> None:
    """Refuse an address that others reach where no password is set.

    Args:
        settings: of this process.
        address: default: the one that is set.

    Raises:
        SettingsError: so it is.
    """
    chosen = address or settings.web_address
    if settings.web_auth is None and not is_loopback(chosen):
        raise SettingsError(
            f"The web page would be served on {chosen} without a password.",
            mend="Set DIGITLINE_WEB_AUTH=user:password, or DIGITLINE_WEB_ADDRESS=127.0.0.1.",
        )


def url(address: str, port: int) -> str:
    """What a browser of this machine opens."""
    # Every address is no address to go to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
