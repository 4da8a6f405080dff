"""Learning: what people said so far, in every form to take along, and the command that learns from it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.ledger import jobs, tallies
from core.ledger.corrected import Reviewed
from core.plain import printable
from core.settings import Settings
from core.vocabulary import DIGITS, Verdict
from digitline.corrected import Exported, Files, class_files, reviewed_images, write_label_studio, write_table
from digitline.web.rendering import BadRequest, line_of, page, query

#: Bytes that are sent at a time.
_BLOCK = 256 * 1024
#: What may be said, in the order of a table.
_WORDS = (*map(str, range(DIGITS)), Verdict.NOT_A_DIGIT.value, Verdict.SEVERAL.value)


@dataclass(frozen=True, slots=True)
class _Form:
    """A form in which reviewed images may be had."""

    media_type: str
    write: Callable[[list[Reviewed], IO[bytes], Settings], object]


def _learn(request: Request) -> Response:
    asked, database = query(request), line_of(request).database
    job = jobs.get(database, asked.number("job")) if asked.texts.get("job") else None
    tally = tallies.tally(database, None if job is None else [job.id])
    return page(
        request,
        "learn.html",
        job=job,
        tally=tally,
        words={word: tally.by_class.get(word, 0) for word in _WORDS},
        of_job="" if job is None else f"?job={job.id}",
    )


def _as_folders(images: list[Reviewed], stream: IO[bytes], settings: Settings) -> None:
    """Write class folders as an archive, and what is missing from them as a text in it."""
    exported = Exported()
    with zipfile.ZipFile(stream, "w") as archive, Files(settings) as files:
        for name, data in class_files(images, files, exported):
            # Pictures are compressed already. Names are written as UTF-8, whatever bytes they have.
            archive.writestr(name.encode("utf-8", "backslashreplace").decode(), data)
        if exported.missing:
            lines = (f"{printable(path)}: {printable(why)}\n" for path, why in exported.missing)
            archive.writestr("missing.txt", "".join(lines))


def _as_table(images: list[Reviewed], stream: IO[bytes], _: Settings) -> None:
    with _text(stream) as text:
        write_table(images, text)


def _as_tasks(images: list[Reviewed], stream: IO[bytes], _: Settings) -> None:
    with _text(stream) as text:
        write_label_studio(images, text)


def _text(stream: IO[bytes]) -> IO[str]:
    return open(stream.fileno(), "w", encoding="utf-8", errors="surrogateescape", newline="", closefd=False)


_FORMS: Mapping[str, _Form] = {
    "zip": _Form("application/zip", _as_folders),
    "csv": _Form("text/csv; charset=utf-8", _as_table),
    "json": _Form("application/json", _as_tasks),
}


def _download(request: Request) -> Response:
    """A file, written whole before its first byte is sent, so that what fails is said and not cut off."""
    form = _FORMS.get(kind := request.path_params["form"])
    if form is None:
        raise BadRequest(f"Corrections come as {', '.join(_FORMS)}.")
    line, asked = line_of(request), query(request)
    job = jobs.get(line.database, asked.number("job")) if asked.texts.get("job") else None
    images = reviewed_images(line.database, None if job is None else [job.id])
    stream = TemporaryFile(prefix="digitline-corrections-")  # noqa: SIM115  # closed once it is sent
    try:
        form.write(images, stream, line.settings)
    except BaseException:
        stream.close()
        raise
    size = stream.seek(0, 2)
    stream.seek(0)
    name = "corrections" if job is None else f"corrections-job-{job.id}"
    headers = {"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return StreamingResponse(_blocks(stream), media_type=form.media_type, headers=headers)


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while block := stream.read(_BLOCK):
            yield block


routes: list[BaseRoute] = [
    Route("/learn", _learn),
    Route("/learn/corrections.{form:str}", _download),
]
