"""The process that serves the page."""

from __future__ import annotations

import logging
import socket
import webbrowser
from threading import Thread

import uvicorn

from core.errors import LineError
from core.settings import Settings
from digitline.web import address as addresses
from digitline.web.app import create_app
from digitline.web.darkroom import Darkroom
from digitline.web.patience import Patient
from scheduler.producer import Line

log = logging.getLogger(__name__)


def run(settings: Settings, *, address: str | None = None, port: int | None = None, show: bool = False) -> None:
    """Serve the page until SIGTERM or Ctrl-C; requests that are under way get the grace time.

    Args:
        settings: of this process.
        address: default: the one that is set.
        port: default: the one that is set; 0: any that is free.
        show: open it in the browser of whoever started it.

    Raises:
        SettingsError: others would reach it without a password.
        LineError: the address cannot be listened on.
        LedgerUnreachable, RevisionMismatch: there is no ledger to show.
    """
    addresses.check(settings, address)
    line, darkroom = Line.open(settings), Darkroom()
    try:
        line.database.check_revision()
        with listening(address or settings.web_address, settings.web_port if port is None else port) as listener:
            where = addresses.url(*listener.getsockname()[:2])
            log.info("the web page is at %s", where)
            if show:
                # Some browsers do not come back before they are closed.
                Thread(target=webbrowser.open, args=(where,), daemon=True).start()
            uvicorn.Server(configuration(line, darkroom)).run(sockets=[listener])
    finally:
        darkroom.close()
        line.close()


def configuration(line: Line, darkroom: Darkroom) -> uvicorn.Config:
    """How the page is served."""
    return uvicorn.Config(
        create_app(line, darkroom),
        http=Patient,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # The guard believes what the connection says, and no header of a proxy.
        proxy_headers=False,
        timeout_graceful_shutdown=line.settings.grace_time,
    )


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens; close it.

    Raises:
        LineError: it cannot.
    """
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((address, port), family=family, backlog=128)
    except OSError as error:
        raise LineError(
            f"The web page cannot be served on {address}, port {port}: {error.strerror}.",
            mend="Set DIGITLINE_WEB_PORT to a port that is free, or DIGITLINE_WEB_ADDRESS to an address of this host.",
        ) from error
