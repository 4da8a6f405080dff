"""The pages, a module for each kind; `digitline.web.app` collects their `routes`.

A page is a plain function, which runs in a thread, so that it may ask the ledger:

    def show(request: Request) -> Response:
        database = line_of(request).database
        job = jobs.get(database, request.path_params["job"])  # JobNotFound becomes a page of its own with 404
        return page(request, "thing.html", job=job)

    routes = [Route("/things/{job:int}", show)]

Its template extends `base.html` (blocks `title`, `content`, `scripts`; `{% set section = "things" %}` before them marks
the entry of the navigation). `{{ static("thing.js") }}` is the address of a file of `static/`; there is no inline script or
style, for the content security policy forbids both. Names of files and jobs are shown through the filter `printable`.

What changes something is a POST. A browser says where it comes from, and `security` refuses any from elsewhere; a form
needs no token. Its endpoint awaits the form, and does its work in a thread:

    async def change(request: Request) -> Response:
        form = await fields(request)  # short texts only; BadRequest says which is missing or makes no sense
        await run_in_threadpool(record, line_of(request).database, form.number("label"), by=person(request))
        return see(request, "/things/1")  # 303, or for htmx an answer that leads there

An image is named by its place, batch and position: `gallery.image` finds it, `/images/BATCH/POSITION` is its page. The macros
`pair`, `reading` and `shot` of `shots.html` show a `Placed`; `gallery.leaf` gives a page of them.

A DigitlineError that nobody catches becomes a page that says it, with what mends it; `rendering` has the statuses. htmx asks
with the header HX-Request: `is_fragment(request)`. What it is answered with an error is not swapped in.
"""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor


class _Number(IntegerConvertor):
    """A number of an address that every database takes for one: of four bytes."""

    regex = "[0-9]{1,9}"


# Before the pages are imported: their routes, `{job:int}`, look it up at once. Of a longer number there is no page.
register_url_convertor("int", _Number())
