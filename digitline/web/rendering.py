"""Pages of templates, the forms that come back, and errors as pages."""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from http import HTTPStatus
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import (
    DigitlineError,
    DiskFull,
    IllegalTransition,
    ImageNotFound,
    JobNotFound,
    LedgerUnreachable,
    ModelNotFound,
    QueueUnreachable,
    RevisionMismatch,
    ScheduleNotFound,
    SourceNotFound,
)
from digitline.filters import FILTERS
from digitline.who import user_name
from scheduler.producer import Line

log = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parent / "static"

#: Statuses of errors that a page says; of any other it is 400, for it is about what was asked.
_STATUSES: dict[type[DigitlineError], HTTPStatus] = {
    JobNotFound: HTTPStatus.NOT_FOUND,
    ImageNotFound: HTTPStatus.NOT_FOUND,
    ModelNotFound: HTTPStatus.NOT_FOUND,
    ScheduleNotFound: HTTPStatus.NOT_FOUND,
    SourceNotFound: HTTPStatus.NOT_FOUND,
    IllegalTransition: HTTPStatus.CONFLICT,
    DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    LedgerUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    QueueUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    RevisionMismatch: HTTPStatus.SERVICE_UNAVAILABLE,
}

#: Longest text and most fields of a form.
_LONGEST_FIELD, _MOST_FIELDS = 10_000, 100


class Refused(DigitlineError):
    """The page does not do that."""

    #: Of the answer.
    status = HTTPStatus.BAD_REQUEST


class BadRequest(Refused):
    """The form or the address makes no sense."""


def line_of(request: Request) -> Line:
    """The servers of the application."""
    line: Line = request.app.state.line
    return line


def person(request: Request) -> str:
    """Who asks, for corrections and pauses: the user of the password, else of this system."""
    name: str | None = getattr(request.state, "person", None)
    return name or user_name()


def is_fragment(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true"


def page(request: Request, template: str, *, status: int = 200, **contents: object) -> HTMLResponse:
    """A page, or a part of one, of a template in `templates/`.

    Args:
        request: what it answers.
        template: name of the file.
        status: of the answer.
        contents: what the template shows; `request` is there as well.
    """
    return HTMLResponse(_templates().get_template(template).render(request=request, **contents), status)


def prepare() -> None:
    """Compile every template now, so that nobody who is the first to look at a page waits for it."""
    for name in _templates().list_templates(extensions=["html"]):
        _templates().get_template(name)


def see(request: Request, address: str) -> Response:
    """Lead to a page after something was changed."""
    if is_fragment(request):
        return Response(headers={"HX-Redirect": address})
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


class Fields:
    """The texts of a form, or of what stands behind the `?` of an address."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def text(self, name: str, default: str | None = None) -> str:
        """A text; an empty one counts as none.

        Raises:
            BadRequest: there is none, and no default.
        """
        found = self.texts.get(name) or default
        if found is None:
            raise BadRequest(f"The field {name!r} is missing.")
        return found

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number.

        Raises:
            BadRequest: it is none, or there is none, and no default.
        """
        found = self.texts.get(name) or ""
        if not found and default is not None:
            return default
        # Not int() alone, which takes "1_000" and digits of every script; and no more than a column of four bytes takes.
        if not (found.isascii() and found.removeprefix("-").isdigit() and len(found) < 10):
            raise BadRequest(f"The field {name!r} must be a whole number.")
        return int(found)


async def fields(request: Request) -> Fields:
    """The short texts of a form.

    Raises:
        BadRequest: it has too many, or files.
    """
    async with request.form(max_files=0, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD) as form:
        return Fields({name: value for name, value in form.items() if isinstance(value, str)})


def query(request: Request) -> Fields:
    """What stands behind the `?` of the address."""
    return Fields(dict(request.query_params))


def show_error(request: Request, error: Exception) -> Response:
    """An error that a person can understand, as a page."""
    if isinstance(error, HTTPException):
        status, message, mend = error.status_code, error.detail, ""
    elif isinstance(error, DigitlineError):
        status = _status(error)
        message, mend = str(error), error.mend
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s", message, mend)
    else:  # the server logs it with its traceback, which is nobody's business here
        status, message, mend = HTTPStatus.INTERNAL_SERVER_ERROR, "Something in Digitline is broken.", ""
        mend = "Its log says what."
    return page(
        request, "error.html", status=status, title=HTTPStatus(status).phrase, message=message, mend=mend, section=""
    )


def _status(error: DigitlineError) -> HTTPStatus:
    if isinstance(error, Refused):
        return error.status
    return next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)


@cache
def _templates() -> Environment:
    # The parts of `digitline/templates` are the report's as well.
    loader = ChoiceLoader([PackageLoader("digitline.web"), PackageLoader("digitline")])
    templates = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    templates.filters.update(FILTERS)
    templates.globals["static"] = static
    return templates


@cache
def static(name: str) -> str:
    """Address of a file of `static/`, which changes with what it holds, so that browsers may keep it.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return f"/static/{name}?{hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
