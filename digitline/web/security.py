"""Who may come in, and what a browser is to refuse: before every page, whatever it is.

Without a password the page is served on loopback alone, where every program of this machine may ask it, and where a page
of a stranger's must not: its scripts may send a request anywhere, and make a name of their own point to 127.0.0.1 (DNS
rebinding). So the name that is asked for must be loopback's, and what changes something must come from this very page.

With a password, whoever gives ten wrong ones in a minute has to wait, a right one or not, for else the quick answer would
be the sign of it. A browser that was let in before is known by a cookie and never waits: behind a proxy all have one
address, and a stranger's guesses must not keep the others out.
"""

from __future__ import annotations

import base64
import binascii
import logging
import math
import secrets
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digitline.loopback import is_loopback
from digitline.web.guesses import Guesses

log = logging.getLogger(__name__)

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
#: Cookie of a browser that was let in.
_KNOWN = "digitline_known"


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
        self._guesses = Guesses()
        # Of a browser that was let in by this process; it opens nothing.
        self._known = secrets.token_urlsafe(16)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        refusal = (self._stranger(scope) or self._foreign(scope)) if scope["type"] == "http" else None
        if refusal is not None:
            await refusal(scope, receive, send)
            return

        async def send_and_remember(message: Message) -> None:
            if message["type"] == "http.response.start" and "person" in scope["state"] and not self._is_known(scope):
                cookie = f"{_KNOWN}={self._known}; HttpOnly; Path=/; SameSite=strict"
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_and_remember)

    def _stranger(self, scope: Scope) -> Response | None:
        """Refuse who may not come in, and note who may."""
        headers = Headers(scope=scope)
        scope.setdefault("state", {})
        if self._login is None:
            if _names_loopback(headers.get("host", "")):
                return None
            return PlainTextResponse("This page is this machine's own: ask for localhost.\n", 421)
        if scope["path"] == HEALTH:
            return None
        address = scope["client"][0] if scope.get("client") else ""
        given = headers.get("authorization")
        if given is not None and not self._is_known(scope) and (rest := self._guesses.rest(address)):
            wait = {"Retry-After": str(math.ceil(rest))}
            return PlainTextResponse("Too many wrong passwords came from there: wait a minute.\n", 429, wait)
        if not self._login.admits(given):
            if given is not None and self._guesses.note(address):
                log.warning("too many wrong passwords for the web page from %s: it has to wait", address)
            ask = {"WWW-Authenticate": 'Basic realm="Digitline", charset="UTF-8"'}
            return PlainTextResponse("This page asks for a password.\n", 401, ask)
        scope["state"]["person"] = self._login.user
        return None

    def _foreign(self, scope: Scope) -> Response | None:
        """Refuse what another page has a browser ask for: changes, and all that is no link that a person follows."""
        headers = Headers(scope=scope)
        if _may_look(headers) if scope["method"] in _HARMLESS else _is_from_here(headers):
            return None
        return PlainTextResponse("This request comes from another page; it was refused.\n", 403)

    def _is_known(self, scope: Scope) -> bool:
        return secrets.compare_digest(HTTPConnection(scope).cookies.get(_KNOWN, "").encode(), self._known.encode())


def _names_loopback(host: str) -> bool:
    """Whether a header `Host` names this machine to itself, whatever the port."""
    named = _split(f"//{host}")
    name = (named.hostname or "") if named is not None else ""
    return is_loopback(name) or name.endswith(".localhost")


def _may_look(headers: Headers) -> bool:
    """Whether a browser says nothing else than that a person looks: from here, by an address, or by a link.

    A resource isolation policy (W3C, Fetch Metadata Request Headers): pictures, frames and scripts of another page's get
    nothing, and take no image of a review from anybody.
    """
    if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_from_here(headers: Headers) -> bool:
    """Whether a browser says that a request comes from a page of this very server; who does not say it is refused."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Browsers leave the other header out where the connection is not encrypted and not to this machine.
    origin = _split(headers.get("origin", ""))
    return origin is not None and bool(origin.netloc) and origin.netloc == headers.get("host")


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return None
