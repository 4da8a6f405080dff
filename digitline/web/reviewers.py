"""Who reviews in which browser: the name that a person goes by, and what tells one browser from another."""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from digitline.web.rendering import BadRequest, person

#: Cookies of a browser: under which name corrections are kept, which is a label and no authority; and to whom images are
#: handed out, so that two people of one name get different ones.
_NAME, _HOLDER = "digitline_reviewer", "digitline_holder"
_A_YEAR = 365 * 86_400
#: Characters of a name.
LONGEST_NAME = 100


def reviewer(request: Request) -> str:
    """Who says what is said: the name that was typed in this browser, else whoever gave the password, else the user."""
    typed = unquote(request.cookies.get(_NAME, ""))
    return typed[:LONGEST_NAME] if typed.isprintable() and typed.strip() else person(request)


def holder(request: Request) -> str:
    """To whom images are handed out: this browser, which `remember` tells its own name."""
    known = request.cookies.get(_HOLDER, "")[:64]
    if not known:
        known = request.state.holder = getattr(request.state, "holder", None) or secrets.token_urlsafe(16)
    return known


def remember(request: Request, response: Response) -> Response:
    """Let a browser be told from others from now on."""
    _set(request, response, _HOLDER, holder(request))
    return response


def rename(request: Request, response: Response, name: str) -> Response:
    """Keep the name that a person types; an empty one brings back the usual one.

    Raises:
        BadRequest: it is too long, or cannot be shown in a line.
    """
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise BadRequest(f"A name has at most {LONGEST_NAME} characters, all of which can be seen.")
    if name:
        _set(request, response, _NAME, quote(name))
    else:
        response.delete_cookie(_NAME, path="/review")
    return response


def _set(request: Request, response: Response, key: str, value: str) -> None:
    response.set_cookie(
        key,
        value,
        max_age=_A_YEAR,
        path="/review",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
