"""What a job's page lets one take along: results as CSV, JSON lines or Parquet, and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.database import Database
from core.ledger import jobs, results
from core.vocabulary import Job
from digitline.export import write_csv, write_json
from digitline.parquet import write_parquet
from digitline.report import write_report
from digitline.web.rendering import BadRequest, line_of

#: Bytes that are sent at a time.
_BLOCK = 256 * 1024

#: The report is a page of its own, which loads nothing and runs nothing.
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


@dataclass(frozen=True, slots=True)
class _Form:
    """A form in which a job may be had."""

    media_type: str
    write: Callable[[Database, Job, Path], object]


def _as_csv(database: Database, job: Job, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_csv(results.of_job(database, job.id), stream)


def _as_json(database: Database, job: Job, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        write_json(results.of_job(database, job.id), stream)


def _as_parquet(database: Database, job: Job, path: Path) -> None:
    write_parquet(results.of_job(database, job.id), path)


_FORMS: Mapping[str, _Form] = {
    "csv": _Form("text/csv; charset=utf-8", _as_csv),
    "json": _Form("application/x-ndjson", _as_json),
    "parquet": _Form("application/vnd.apache.parquet", _as_parquet),
    "html": _Form("text/html; charset=utf-8", write_report),
}


def _download(request: Request) -> Response:
    """A file, written whole before its first byte is sent, so that what fails is said and not cut off."""
    form = _FORMS.get(kind := request.path_params["form"])
    if form is None:
        raise BadRequest(f"Results come as {', '.join(_FORMS)}.")
    database = line_of(request).database
    job = jobs.get(database, request.path_params["job"])
    with TemporaryDirectory(prefix="digitline-download-") as folder:
        path = Path(folder) / "results"
        form.write(database, job, path)
        # It has no name any more once the folder is gone, and no room once it is closed, however the sending ends.
        stream = path.open("rb")
        size = path.stat().st_size
    headers = {"Content-Length": str(size)}
    if kind == "html":
        headers["Content-Security-Policy"] = _REPORT_POLICY
    else:
        headers["Content-Disposition"] = f'attachment; filename="job-{job.id}.{kind}"'
    return StreamingResponse(_blocks(stream), media_type=form.media_type, headers=headers)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(_BLOCK):
            yield block


routes: list[BaseRoute] = [Route("/jobs/{job:int}/results.{form:str}", _download)]
