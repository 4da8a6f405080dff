"""`python -m benchmarks.scale.pages JOB`: how long the first page of everything that people look at takes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from sqlalchemy import text

from core.database import Database
from core.ledger import gallery, job_counts, jobs, results
from core.ledger.wanted import Agreement, Wanted
from core.settings import get_settings
from core.vocabulary import Reason, Verdict

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
        "web: a job's counts": lambda: job_counts.of_job(database, job_id),
        "web: gallery": lambda: gallery.leaf(database, Wanted(job=job_id)),
        "web: gallery, what there is none of": lambda: gallery.leaf(
            database, Wanted(job=job_id, reason=Reason.SEVERAL)
        ),
        "web: gallery, what counts cannot tell": lambda: gallery.leaf(database, _untold(job_id)),
        "results JOB": lambda: next(results.of_job(database, job_id)),
        **{f"view {name}": _view(database, statement, job_id) for name, statement in _VIEWS.items()},
    }
    return {name: _seconds(page) for name, page in pages.items()}


def _details(database: Database, job_id: int) -> None:
    jobs.find(database, str(job_id))
    results.verdict_counts(database, job_id)
    results.rejection_counts(database, job_id)
    results.stage_seconds(database, job_id)


def _untold(job_id: int) -> Wanted:
    """Every batch has some of each, and no image is all of it."""
    return Wanted(job=job_id, label=3, verdict=Verdict.UNCERTAIN, agreement=Agreement.WRONG, least=0.99)


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
    print(json.dumps(first_pages(Database(get_settings().database), int(sys.argv[1]))))
