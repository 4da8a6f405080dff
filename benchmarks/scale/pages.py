"""`python -m benchmarks.scale.pages JOB`: how long the first page of everything that people look at takes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import httpx
from sqlalchemy import text

from core.database import Database
from core.ledger import jobs, results
from core.settings import Settings, get_settings
from digitline.web.app import create_app
from digitline.web.darkroom import Darkroom
from scheduler.producer import Line

#: Jobs that `digitline status` shows.
_LISTED = 20
#: As in docs/ledger.md.
_VIEWS = {
    "job_summary": "SELECT * FROM job_summary ORDER BY job_id DESC LIMIT 20",
    "job_confusion": "SELECT * FROM job_confusion WHERE job_id = :job",
    "model_confusion": "SELECT * FROM model_confusion",
}


def first_pages(database: Database, job_id: int) -> dict[str, float]:
    """Seconds by what is looked at, each asked for the first time by this process."""
    pages: dict[str, Callable[[], object]] = {
        "connect": lambda: jobs.newest(database, 0),
        "status": lambda: jobs.newest(database, _LISTED),
        "status JOB": lambda: _details(database, job_id),
        "results JOB": lambda: next(results.of_job(database, job_id)),
        **{f"view {name}": _view(database, statement, job_id) for name, statement in _VIEWS.items()},
    }
    return {name: _seconds(page) for name, page in pages.items()}


def _details(database: Database, job_id: int) -> None:
    jobs.find(database, str(job_id))
    results.verdict_counts(database, job_id)
    results.rejection_counts(database, job_id)
    results.stage_seconds(database, job_id)


def web_pages(settings: Settings, job_id: int) -> dict[str, float]:
    """Seconds by page of the web page, each whole, as HTML, and asked for the first time by this process."""
    images = f"/images?job={job_id}"
    addresses = {
        "jobs": "/jobs",
        "a job": f"/jobs/{job_id}",
        "its batches": f"/jobs/{job_id}/batches",
        "its images": images,
        "all images": "/images",
        "images, a cell of the matrix": f"{images}&true=9&label=4",
        "images, a verdict": f"{images}&verdict=uncertain",
        "images, what there is none of": f"{images}&reason=several",
        # Every batch has some of each, and no image is all of it.
        "images, what counts cannot tell": f"{images}&label=3&verdict=uncertain&agreement=wrong&least=0.99",
        "an image": "/images/1/1",
    }
    with closing(Line.open(settings)) as line, closing(Darkroom()) as darkroom:
        looking = partial(_look, httpx.ASGITransport(create_app(line, darkroom)))
        return {f"web: {name}": _seconds(partial(looking, address)) for name, address in addresses.items()}


def _look(transport: httpx.ASGITransport, address: str) -> None:
    async def look() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            (await client.get(address)).raise_for_status()

    asyncio.run(look())


def _view(database: Database, statement: str, job_id: int) -> Callable[[], object]:
    def read() -> object:
        with database.read() as connection:
            return connection.execute(text(statement), {"job": job_id} if ":job" in statement else {}).all()

    return read


def _seconds(page: Callable[[], object]) -> float:
    begun = time.perf_counter()
    page()
    return time.perf_counter() - begun


if __name__ == "__main__":
    chosen, job = get_settings(), int(sys.argv[1])
    print(json.dumps(first_pages(Database(chosen.database), job) | web_pages(chosen, job)))
