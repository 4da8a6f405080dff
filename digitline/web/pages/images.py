"""The gallery of images, with filters, and the page that explains one image."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.ledger import gallery, jobs, models
from core.ledger.gallery import Place, Placed
from core.ledger.wanted import Agreement, ReadAs, Wanted
from core.vocabulary import DIGITS, Model, Reason, Verdict
from digitline.web.darkroom import Answer, NoPicture
from digitline.web.rendering import BadRequest, Fields, is_fragment, line_of, page, query
from digitline.web.thumbnails import moved_meanwhile, thumbnails_of

#: Images on a page.
SIZE = 60

_Word = TypeVar("_Word", bound=StrEnum)

#: The filters, by the name that they have in an address; `after` or `before` stands for the page.
_FILTERS = ("job", "label", "true", "verdict", "reason", "agreement", "least", "most")


def _gallery(request: Request) -> Response:
    asked = query(request)
    wanted, database = _wanted(asked), line_of(request).database
    job = None if wanted.job is None else jobs.get(database, wanted.job)
    after, before = _place(asked.texts.get("after")), _place(asked.texts.get("before"))
    leaf = gallery.leaf(database, wanted, after=after, before=before, size=SIZE)
    fragment = is_fragment(request)
    if before is not None and leaf.before is None and not leaf.full and not fragment:
        # Fewer are left than a page has: the first one, as it always begins.
        before, leaf = None, gallery.leaf(database, wanted, size=SIZE)
    chosen = {name: asked.texts[name] for name in _FILTERS if asked.texts.get(name)}
    return page(
        request,
        "found.html" if fragment else "images.html",
        leaf=leaf,
        job=job,
        chosen=chosen,
        first="/images?" + urlencode(chosen),
        previous=_beside(chosen, "before", leaf.before),
        next=_beside(chosen, "after", leaf.after),
        back=before is not None,
        fragment=fragment,
        choices=_choices(),
    )


def _beside(chosen: dict[str, str], way: str, place: Place | None) -> str | None:
    """Address of the page before or after, where there is one."""
    return None if place is None else "/images?" + urlencode({**chosen, way: _written(place)})


def _choices() -> dict[str, list[str]]:
    """What may be chosen for each filter."""
    digits = [str(digit) for digit in range(DIGITS)]
    return {
        "label": [*digits, *(word.value for word in ReadAs)],
        "true": digits,
        "verdict": [verdict.value for verdict in Verdict],
        "reason": [reason.value for reason in Reason],
        "agreement": [agreement.value for agreement in Agreement],
    }


def _wanted(asked: Fields) -> Wanted:
    label = asked.texts.get("label") or ""
    return Wanted(
        job=_optional(asked, "job"),
        label=_word(asked, "label", ReadAs) if label and not label.isdigit() else _digit(asked, "label"),
        true_label=_digit(asked, "true"),
        verdict=_word(asked, "verdict", Verdict),
        reason=_word(asked, "reason", Reason),
        agreement=_word(asked, "agreement", Agreement),
        least=_share(asked, "least"),
        most=_share(asked, "most"),
    )


def _optional(asked: Fields, name: str) -> int | None:
    return asked.number(name) if asked.texts.get(name) else None


def _digit(asked: Fields, name: str) -> int | None:
    digit = _optional(asked, name)
    if digit is not None and not 0 <= digit < DIGITS:
        raise BadRequest(f"The field {name!r} must be a digit.")
    return digit


def _word(asked: Fields, name: str, words: type[_Word]) -> _Word | None:
    word = asked.texts.get(name)
    if not word:
        return None
    try:
        return words(word)
    except ValueError as error:
        raise BadRequest(f"The field {name!r} must be one of {', '.join(words)}.") from error


def _share(asked: Fields, name: str) -> float | None:
    text = asked.texts.get(name)
    if not text:
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadRequest(f"The field {name!r} must be a number from 0 to 1.")
    return share


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    batch, _, position = text.partition("-")
    parts = Fields({"batch": batch, "position": position})
    return Place(parts.number("batch"), parts.number("position"))


def _written(place: Place) -> str:
    return f"{place.batch}-{place.position}"


async def _image(request: Request) -> Response:
    """An image: what is known of it, and, once that was made, why it is read as it is."""
    database = line_of(request).database
    place = Place(request.path_params["batch"], request.path_params["position"])
    image = await to_thread.run_sync(gallery.image, database, place)
    explained = is_fragment(request) or "explain" in request.query_params
    answer: Answer | None = None
    refusal = ""
    if explained:
        model = await to_thread.run_sync(models.get, database, image.model_id)
        try:
            answer = await _explain(request, image, model)
        except NoPicture as error:
            refusal = str(error)
    template = "explanation.html" if is_fragment(request) else "image.html"
    return page(
        request,
        template,
        image=image,
        explained=explained,
        answer=answer,
        refusal=refusal,
    )


async def _explain(request: Request, image: Placed, model: Model) -> Answer:
    thumbnails = thumbnails_of(request)
    try:
        return await thumbnails.explanation(image, model.location, split=image.split)
    except NoPicture:
        moved = await moved_meanwhile(request, image)
        if moved is None:
            raise
        return await thumbnails.explanation(moved, model.location, split=image.split)


routes: list[BaseRoute] = [
    Route("/images", _gallery),
    Route("/images/{batch:int}/{position:int}", _image),
]
