"""Who may come in, and what a browser is to refuse: before every page, whatever it is.

Without a password the page is served on loopback alone, where every program of this machine may ask it, and where a page
of a stranger's must not: its scripts may send a request anywhere, and make a name of their own point to 127.0.0.1 (DNS
rebinding). So the name that is asked for must be loopback's, and what changes something must come from this very page.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digitline.loopback import is_loopback

#: Asked by what watches over containers, which has no password; says no more than that there is an answer.
HEALTH = "/healthz"

_POLICY = "; ".join(
    [
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    ]
)
#: What every answer says, unless its page has said otherwise.
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it a browser does not say where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Pages show what people keep to themselves; what may be kept says so.
    "Cache-Control": "no-store",
}
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Login:
    """The user and the password that are asked for."""

    user: str
    password: str

    @classmethod
    def of(cls, pair: str) -> Login:
        """From `user:password`."""
        user, _, password = pair.partition(":")
        return cls(user, password)

    def admits(self, authorization: str | None) -> bool:
        """Whether a header `Authorization` holds them (RFC 7617)."""
        kind, _, credentials = (authorization or "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(credentials, validate=True)
        except (binascii.Error, ValueError):
            return False
        return secrets.compare_digest(given, f"{self.user}:{self.password}".encode())


class Headed:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Guarded:
    """Lets in who knows the password, or, where there is none, who asks for this machine by its own name."""

    def __init__(self, app: ASGIApp, login: Login | None) -> None:
        """Wrap an application.

        Args:
            app: what is guarded.
            login: None: no password is asked for.
        """
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._login is None:
            if not _names_loopback(headers.get("host", "")):
                return PlainTextResponse("This page is this machine's own: ask for localhost.\n", 421)
        elif scope["path"] != HEALTH:
            if not self._login.admits(headers.get("authorization")):
                ask = {"WWW-Authenticate": 'Basic realm="Digitline", charset="UTF-8"'}
                return PlainTextResponse("This page asks for a password.\n", 401, ask)
            scope.setdefault("state", {})["person"] = self._login.user
        if scope["method"] not in _HARMLESS and not _is_from_here(headers):
            return PlainTextResponse("This request comes from another page; it was refused.\n", 403)
        return None


def _names_loopback(host: str) -> bool:
    """Whether a header `Host` names this machine to itself, whatever the port."""
    name = urlsplit(f"//{host}").hostname or ""
    return is_loopback(name) or name.endswith(".localhost")


def _is_from_here(headers: Headers) -> bool:
    """Whether a browser says that a request comes from a page of this very server; who does not say it is refused."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Browsers leave the other header out where the connection is not encrypted and not to this machine.
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")
