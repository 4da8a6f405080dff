"""The list of jobs, a job's page, and what is done to a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import log10

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.ledger import gallery, job_counts, jobs, results, timings
from core.ledger.wanted import ReadAs, Wanted
from core.vocabulary import Job, JobState
from digitline.handle import JobHandle
from digitline.heat import confusion, heat
from digitline.pace import finished_images, images_per_second, seconds_left
from digitline.web.rendering import BadRequest, is_fragment, line_of, page, person, query, see
from training.evaluate import score_matrix

#: Jobs and batches on a page, and batches and rejected images on a job's page.
_JOBS, _BATCHES, _SOME = 25, 100, 10


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a job has come, and how fast it goes on."""

    job: Job
    #: Images that have met their end.
    finished: int
    #: Images a second, and seconds until its end; None where that cannot be told.
    rate: float | None
    left: float | None

    @classmethod
    def of(cls, job: Job) -> Pace:
        """As it is now."""
        left = None if job.state is JobState.PAUSED else seconds_left(job)
        return cls(job, finished_images(job.accounts), images_per_second(job), left)

    @property
    def percent(self) -> float:
        """Of its images, how many have met their end, 0 to 100; of none, all."""
        return 100 * self.finished / self.job.accounts.found if self.job.accounts.found else 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart."""

    name: str
    images: int
    #: 0 to 100.
    height: float
    #: Where its images are shown.
    address: str


def _home(_request: Request) -> Response:
    return RedirectResponse("/jobs")


def _list(request: Request) -> Response:
    """The jobs, the newest first; htmx asks for the table alone while one of them is open."""
    asked = query(request)
    before = asked.number("before") if asked.texts.get("before") else None
    found = jobs.newest(line_of(request).database, _JOBS + 1, before=before)
    shown = [Pace.of(job) for job in found[:_JOBS]]
    return page(
        request,
        "job_table.html" if is_fragment(request) else "jobs.html",
        jobs=shown,
        before=before,
        open=any(not pace.job.state.ended for pace in shown),
        # Jobs that are pruned leave gaps: then the page before this one ends with some of this one's.
        newer=shown[0].job.id + _JOBS + 1 if before and shown else None,
        next=shown[-1].job.id if len(found) > _JOBS else None,
    )


def _show(request: Request) -> Response:
    database = line_of(request).database
    job = jobs.get(database, request.path_params["job"])
    matrix, unread = confusion(results.job_confusion(database, job.id))
    images = f"/images?job={job.id}"
    counted = job_counts.of_job(database, job.id)
    return page(
        request,
        "job.html",
        pace=Pace.of(job),
        job=job,
        gallery=images,
        verdicts=counted.verdicts,
        evaluation=score_matrix(matrix) if matrix.any() else None,
        rows=heat(matrix, unread) if matrix.any() or unread.any() else None,
        confidences=_confidence_bars(counted.confidences, images),
        labels=_label_bars(counted.labels, images),
        rejections=counted.reasons,
        rejected=gallery.leaf(database, Wanted(job=job.id, label=ReadAs.NOTHING), size=_SOME).images,
        batches=timings.of_job(database, job.id, limit=_SOME),
        stages=counted.stages,
        flower=line_of(request).settings.web_flower_url,
        actions=_possible(job),
    )


def _progress(request: Request) -> Response:
    """What changes while a job is open; once it has ended the whole page is shown anew."""
    job = jobs.get(line_of(request).database, request.path_params["job"])
    shown = page(request, "progress.html", pace=Pace.of(job), job=job)
    if job.state.value != request.query_params.get("state"):
        shown.headers["HX-Refresh"] = "true"
    return shown


def _batches(request: Request) -> Response:
    database = line_of(request).database
    job = jobs.get(database, request.path_params["job"])
    after = query(request).number("after", 0)
    found = timings.of_job(database, job.id, after=after, limit=_BATCHES + 1)
    return page(
        request,
        "batches.html",
        job=job,
        batches=found[:_BATCHES],
        # Their numbers have no gaps.
        previous=max(0, after - _BATCHES) if after > 0 else None,
        next=found[_BATCHES - 1].sequence if len(found) > _BATCHES else None,
        flower=line_of(request).settings.web_flower_url,
    )


#: What may be done to a job, by the last part of the address.
_ACTIONS: Mapping[str, Callable[[JobHandle, str], JobHandle]] = {
    "pause": lambda handle, by: handle.pause(by=by),
    "resume": lambda handle, _: handle.resume(),
    "cancel": lambda handle, _: handle.cancel(),
    "retry": lambda handle, _: handle.retry(),
}


def _possible(job: Job) -> list[str]:
    """What may be done to a job in its state; whether there is something to retry is told when it is tried."""
    if job.state is JobState.PAUSED:
        return ["resume", "cancel"]
    if not job.state.ended:
        return ["pause", "cancel"]
    return ["retry"] if job.accounts.quarantined or job.state is JobState.CANCELLED else []


async def _act(request: Request) -> Response:
    number, action = request.path_params["job"], _ACTIONS.get(request.path_params["action"])
    if action is None:
        raise BadRequest("There is nothing of that kind to be done to a job.")
    await run_in_threadpool(_do, request, number, action)
    return see(request, f"/jobs/{number}")


def _do(request: Request, number: int, action: Callable[[JobHandle, str], JobHandle]) -> None:
    line = line_of(request)
    handle = JobHandle(line, jobs.get(line.database, number))
    action(handle, person(request))


def _height(images: int, of: Iterable[int], *, logarithmic: bool = False) -> float:
    """Height of a bar, 0 to 100; on a logarithmic scale what is rare can be seen beside what is not."""
    scale = (lambda count: log10(1 + count)) if logarithmic else float
    return round(100 * scale(images) / max(1.0, scale(max(of, default=0))), 1)


def _confidence_bars(counts: Mapping[float, int], gallery: str) -> list[Bar]:
    bars: list[Bar] = []
    below = 0.0
    for bound, images in counts.items():
        name = f"≤ {bound:g}" if not bars else f"{below:g}–{bound:g}"
        address = f"{gallery}&least={below:g}&most={bound:g}"
        bars.append(Bar(name, images, _height(images, counts.values(), logarithmic=True), address))
        below = bound
    return bars


def _label_bars(counts: Mapping[str, int], gallery: str) -> list[Bar]:
    return [
        Bar(label, images, _height(images, counts.values()), f"{gallery}&label={label}")
        for label, images in counts.items()
    ]


routes: list[BaseRoute] = [
    Route("/", _home),
    Route("/jobs", _list),
    Route("/jobs/{job:int}", _show),
    Route("/jobs/{job:int}/progress", _progress),
    Route("/jobs/{job:int}/batches", _batches),
    Route("/jobs/{job:int}/{action:str}", _act, methods=["POST"]),
]
