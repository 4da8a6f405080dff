"""The application: every page's routes, what guards them, and how errors look."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import DigitlineError
from digitline.web import thumbnails
from digitline.web.darkroom import Darkroom
from digitline.web.pages import downloads, images, jobs, learn, models, review, upload
from digitline.web.rendering import STATIC, line_of, prepare, show_error
from digitline.web.security import HEALTH, Guarded, Headed, Login
from digitline.web.thumbnails import Thumbnails
from scheduler.producer import Line

#: Bytes of a request at most where its route says nothing else.
_MAX_BODY = 256 * 1024
#: Seconds for which a browser may keep a file of `static/`, whose address changes with what it holds.
_A_YEAR = 365 * 86_400


def create_app(line: Line, darkroom: Darkroom) -> ASGIApp:
    """The web page of a line.

    Args:
        line: the servers it shows; closed by whoever opened it.
        darkroom: decodes people's images; the same holds for it.
    """
    auth = line.settings.web_auth
    login = Login.of(auth.get_secret_value()) if auth is not None else None
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guarded, login=login)],
        exception_handlers={HTTPException: show_error, DigitlineError: show_error, Exception: show_error},
        max_body_size=_MAX_BODY,
    )
    prepare()
    app.state.line = line
    app.state.thumbnails = Thumbnails(darkroom)
    # Around it all, for Starlette's own answers to what is broken or too long come from outside of every middleware.
    return Headed(app)


def _routes() -> list[BaseRoute]:
    modules = (jobs, downloads, thumbnails, images, upload, review, learn, models)
    pages = [route for module in modules for route in module.routes]
    return [Route(HEALTH, _health), Mount("/static", _Static(directory=STATIC)), *pages]


def _health(request: Request) -> Response:
    """Say that the page is there and the ledger answers, to whoever watches over the process."""
    line_of(request).database.check_revision()
    return PlainTextResponse("ok\n")


class _Static(StaticFiles):
    """Files that browsers keep."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200 and scope["query_string"]:
                message["headers"].append((b"cache-control", f"private, max-age={_A_YEAR}, immutable".encode()))
            await send(message)

        await super().__call__(scope, receive, keep)
