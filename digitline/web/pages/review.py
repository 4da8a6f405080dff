"""Review: one image after the other, the least certain first; keys and buttons say what it shows."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.ledger import corrections, gallery, jobs, reviews
from core.ledger.corrections import Withdrawal, Word
from core.ledger.gallery import Place, Placed
from core.ledger.results import Result
from core.plain import printable
from core.vocabulary import DIGITS, Verdict
from digitline.web.rendering import BadRequest, Fields, fields, line_of, page, query, see
from digitline.web.reviewers import LONGEST_NAME, holder, remember, rename, reviewer
from digitline.web.thumbnails import version

#: Jobs to choose from.
_JOBS = 50
#: Images that a browser holds at most, those that its reviewer put off among them.
_MOST_HELD = 60


def _review(request: Request) -> Response:
    """The image that is next, and all that is needed to go on from there with a script or without one."""
    asked, database = query(request), line_of(request).database
    job = jobs.get(database, asked.number("job")) if asked.texts.get("job") else None
    job_id = None if job is None else job.id
    wished = [
        place for place in _places(asked.texts.get("images", "")) if reviews.take(database, holder(request), place)
    ]
    images = reviews.hand_out(database, holder(request), job_id=job_id, count=max(1, len(wished)))
    images.sort(key=lambda image: image.place not in wished)
    shown = page(
        request,
        "review.html",
        images=[_record(image) for image in images],
        left=reviews.left(database, job_id),
        most_counted=reviews.MOST_COUNTED,
        job=job,
        jobs=[one for one in jobs.newest(database, _JOBS) if one.accounts.scored or one.accounts.rejected],
        reviewer=reviewer(request),
        longest_name=LONGEST_NAME,
        digits=range(DIGITS),
    )
    return remember(request, shown)


async def _next(request: Request) -> Response:
    """The images that a browser holds from now on, as JSON; and how many are left where it asks for that."""
    form = await fields(request)
    count = min(max(1, form.number("count", 1)), _MOST_HELD)
    return JSONResponse(await run_in_threadpool(_handed_out, request, _job(form), count, "left" in form.texts))


def _handed_out(request: Request, job_id: int | None, count: int, counted: bool) -> dict[str, object]:
    database = line_of(request).database
    images = reviews.hand_out(database, holder(request), job_id=job_id, count=count)
    left = {"left": _left(request, job_id)} if counted else {}
    return {"images": [_record(image) for image in images], **left}


def _left(request: Request, job_id: int | None) -> dict[str, int]:
    found = reviews.left(line_of(request).database, job_id)
    return {"doubtful": found.doubtful, "unsure": found.unsure}


async def _say(request: Request) -> Response:
    """Keep what a person says of an image."""
    form = await fields(request)
    place = Place(form.number("batch"), form.number("position"))
    try:
        word = Word.of(form.text("word"))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    correction = await run_in_threadpool(_keep, request, place, word)
    return JSONResponse({"id": correction}) if _wants_json(request) else _back(request, form)


def _keep(request: Request, place: Place, word: Word) -> int:
    database = line_of(request).database
    kept = corrections.say(database, place, word, by=reviewer(request))
    reviews.give_back(database, holder(request), place)
    return kept.id


async def _undo(request: Request) -> Response:
    """Take back a word: the one that is named, else the last that this reviewer said."""
    form = await fields(request)
    correction = form.number("id") if form.texts.get("id") else None
    found = await run_in_threadpool(_take_back, request, correction)
    return JSONResponse(found) if _wants_json(request) else _back(request, form)


def _take_back(request: Request, correction: int | None) -> dict[str, object]:
    database, by = line_of(request).database, reviewer(request)
    taken_back: Withdrawal | None = corrections.withdraw(database, by=by, correction_id=correction)
    if taken_back is None:
        return {"word": None, "image": None}
    word = str(taken_back.word)
    # Before somebody else now, or its batch is scored anew: the word is taken back all the same.
    if not taken_back.path or not reviews.take(database, holder(request), taken_back.place):
        return {"word": word, "image": None}
    return {"word": word, "image": _record(gallery.image(database, taken_back.place))}


async def _leave(request: Request) -> Response:
    """Let others have what this browser holds."""
    await run_in_threadpool(reviews.give_back, line_of(request).database, holder(request))
    return Response(status_code=204)


async def _rename(request: Request) -> Response:
    form = await fields(request)
    return rename(request, _back(request, form), form.texts.get("name", ""))


def _places(text: str) -> list[Place]:
    """Images that an address asks for first, as `7-0,7-12`."""
    pairs = [pair.partition("-") for pair in text.split(",") if pair][:_MOST_HELD]
    parts = [Fields({"batch": batch, "position": position}) for batch, _, position in pairs]
    return [Place(part.number("batch"), part.number("position")) for part in parts]


def _job(form: Fields) -> int | None:
    return form.number("job") if form.texts.get("job") else None


def _back(request: Request, form: Fields) -> Response:
    """To the next image."""
    job_id = _job(form)
    return see(request, "/review" if job_id is None else f"/review?job={job_id}")


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"


def _agreement(result: Result) -> str:
    """The word of who agrees with what was found out."""
    if result.label is not None and result.verdict is not Verdict.NOT_A_DIGIT:
        return str(result.label)
    return Verdict.SEVERAL.value if result.verdict is Verdict.SEVERAL else Verdict.NOT_A_DIGIT.value


def _record(image: Placed) -> dict[str, object]:
    result, place = image.result, image.place
    address = f"/images/{place.batch}/{place.position}"
    pictures = f"?v={version(image)}" if result.sha256 else ""
    return {
        "batch": place.batch,
        "position": place.position,
        "job": image.job_id,
        "job_name": printable(image.job_name),
        "path": printable(result.path),
        "label": result.label,
        "confidence": result.confidence,
        "runner_up": None if result.confidence is None or result.digits else result.confidence - (result.margin or 0),
        "verdict": None if result.verdict is None else result.verdict.value,
        "message": None if result.message is None else printable(result.message),
        "true_label": result.true_label,
        "agree": _agreement(result),
        "page": address,
        "original": f"{address}/original.png{pictures}",
        "prepared": None if result.digits else f"{address}/prepared.png{pictures}",
    }


routes: list[BaseRoute] = [
    Route("/review", _review),
    Route("/review/next", _next, methods=["POST"]),
    Route("/review/say", _say, methods=["POST"]),
    Route("/review/undo", _undo, methods=["POST"]),
    Route("/review/leave", _leave, methods=["POST"]),
    Route("/review/name", _rename, methods=["POST"]),
]
