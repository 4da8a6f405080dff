"""Images dragged onto the page become a drop of the inbox, and go the way of every other."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.ledger import arrivals
from digitline.web.drops import Drop, TooMuch
from digitline.web.multipart import NAME, Multipart
from digitline.web.rendering import BadRequest, is_fragment, line_of, page, query, see

#: Bytes of a form around its files: boundaries, headers, names; by the file.
_AROUND = 2048
#: The parts of an upload count its bytes themselves, and its settings are known here alone.
_UNBOUNDED = 2**62


def _form(request: Request) -> Response:
    return page(request, "upload.html", settings=line_of(request).settings)


async def _receive(request: Request) -> Response:
    """Take an upload, a part at a time, and hand it to the inbox."""
    line = line_of(request)
    around = line.settings.web_upload_files * _AROUND
    if int(request.headers.get("content-length") or 0) > line.settings.web_upload_bytes + around:
        # Before it is sent, where the browser says how much it is.
        raise TooMuch(f"This is more than {line.settings.web_upload_bytes / 1e6:,.0f} MB.")
    before = await run_in_threadpool(arrivals.newest_job, line.database)
    drop = await run_in_threadpool(Drop, line.settings)
    try:
        name = await _gather(request, drop, around)
    finally:
        await run_in_threadpool(drop.close)
    return see(request, "/upload/arrived?" + urlencode({"name": name, "after": before}))


async def _gather(request: Request, drop: Drop, around: int) -> str:
    form, received = Multipart(request.headers.get("content-type", ""), drop), 0
    try:
        async for chunk in request.stream():
            await run_in_threadpool(form.feed, chunk)
            received += len(chunk)
            if received - drop.bytes > around:  # of fields and headers without end
                raise TooMuch("There is more around the files than so many files need.")
    except ClientDisconnect as error:
        raise BadRequest("The upload was broken off; nothing of it stays.") from error
    form.finish()
    name = form.fields.get(NAME, "").strip() or f"upload {datetime.now(UTC):%Y-%m-%d %H.%M.%S}"
    return await run_in_threadpool(drop.hand_over, name)


def _arrived(request: Request) -> Response:
    """Lead to the job once the scheduler has made it; until then the page asks again."""
    asked = query(request)
    name, after = asked.text("name"), asked.number("after")
    job = arrivals.job_named(line_of(request).database, name, after=after)
    if job is not None:
        return see(request, f"/jobs/{job}")
    here = "/upload/arrived?" + urlencode({"name": name, "after": after})
    return page(request, "arriving.html" if is_fragment(request) else "arrived.html", name=name, here=here)


routes: list[BaseRoute] = [
    Route("/upload", _form),
    Route("/upload", _receive, methods=["POST"], max_body_size=_UNBOUNDED),
    Route("/upload/arrived", _arrived),
]
