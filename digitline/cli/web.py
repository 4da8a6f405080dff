"""The verb that serves the web page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core import logs
from core.settings import get_settings
from digitline import lifeline
from digitline.cli.lazy import Later

if TYPE_CHECKING:
    from digitline.web import process
else:
    process = Later("digitline.web.process")


def web(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to serve it on; default: DIGITLINE_WEB_PORT.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Address; default: DIGITLINE_WEB_ADDRESS.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in your browser.")] = False,
) -> None:
    """Serve Digitline's web page: jobs, images, upload, review, learning and models, in a browser.

    On loopback alone unless DIGITLINE_WEB_AUTH=user:password is set. `digitline up` serves it as well.
    """
    settings = get_settings()
    logs.set_up(settings.log_level)
    lifeline.end_with_the_line(settings.grace_time)
    process.run(settings, address=address, port=port, show=show)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline web --open")(web)
