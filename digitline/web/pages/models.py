"""The models: their cards, what allowed them into production, and where two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import Database
from core.errors import ImageNotFound, ModelNotFound
from core.ledger import gallery, jobs, promotions, shadows, tallies
from core.ledger import models as ledger
from core.ledger.gallery import Place, Placed
from core.ledger.promotions import Promotion
from core.ledger.shadows import Comparison, Disagreement
from core.vocabulary import Job, Model
from digitline.web.contests import SHOWN, Contests
from digitline.web.rendering import BadRequest, is_fragment, line_of, page, query

#: Jobs to choose from.
_JOBS = 50


@dataclass(frozen=True, slots=True)
class Differing:
    """An image that two models read differently."""

    said: Disagreement
    #: None: its job is pruned meanwhile, or its batch is scored anew.
    image: Placed | None


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the list; what a card says is somebody else's, so that anything may be missing from it."""

    model: Model
    test_accuracy: float | None
    validation_accuracy: float | None
    #: Reviewed images that it learned from.
    learned: int

    @classmethod
    def of(cls, model: Model) -> Row:
        """What its card says."""
        learned = model.card.get("corrections")
        return cls(
            model,
            _accuracy(model.card.get("test")),
            _accuracy(model.card.get("validation")),
            len(learned) if isinstance(learned, list) else 0,
        )


def _list(request: Request) -> Response:
    database = line_of(request).database
    models = ledger.every(database)
    return page(
        request,
        "models.html",
        rows=[Row.of(model) for model in models],
        names={model.id: model.name for model in models},
        history=promotions.history(database),
        production=ledger.in_production(database),
        jobs=jobs.newest(database, _JOBS),
    )


def _show(request: Request) -> Response:
    database = line_of(request).database
    model = ledger.get(database, request.path_params["model"])
    history = [one for one in promotions.history(database) if one.model_id == model.id]
    return page(
        request,
        "model.html",
        row=Row.of(model),
        model=model,
        networks=_networks(model.card),
        history=history,
        checks={one.promoted_at: _worth_showing(one) for one in history},
    )


def _compare(request: Request) -> Response:
    """Where a model and the one in production differ: by the shadow, or on reviewed images, which takes a while."""
    asked, database = query(request), line_of(request).database
    production = ledger.in_production(database)
    if production is None:
        raise ModelNotFound("No model is in production.", mend="`digitline models promote MODEL` puts one there.")
    other = ledger.get(database, asked.number("model"))
    job = jobs.get(database, asked.number("job")) if asked.texts.get("job") else None
    on = asked.text("on", "shadow")
    if on not in ("shadow", "corrections"):
        raise BadRequest("Models are compared on the shadow or on corrections.")
    answer = _by_shadow(database, production, other, job) if on == "shadow" else _anew(database, production, other, job)
    comparison = None if answer is None else answer[0]
    differing = [] if comparison is None else [_differing(database, one) for one in comparison.disagreements]
    return page(
        request,
        "compared.html" if is_fragment(request) else "compare.html",
        production=production,
        other=other,
        job=job,
        on=on,
        address=request.url.path + "?" + request.url.query,
        comparison=comparison,
        learned=0 if answer is None else answer[1],
        missing=0 if answer is None else answer[2],
        differing=differing,
        places=",".join(f"{one.said.batch}-{one.said.position}" for one in differing if one.image is not None),
    )


def _by_shadow(database: Database, production: Model, other: Model, job: Job | None) -> tuple[Comparison, int, int]:
    of_job = None if job is None else [job.id]
    return shadows.compare(database, production, other, job_ids=of_job, shown=SHOWN), 0, 0


def _anew(database: Database, production: Model, other: Model, job: Job | None) -> tuple[Comparison, int, int] | None:
    reviewed = tallies.tally(database, None if job is None else [job.id]).images
    return _contests().ask((other.id, None if job is None else job.id, reviewed, production.id))


@cache
def _contests() -> Contests:
    return Contests()


def _differing(database: Database, said: Disagreement) -> Differing:
    try:
        return Differing(said, gallery.image(database, Place(said.batch, said.position)))
    except ImageNotFound:
        return Differing(said, None)


def _accuracy(measured: Any) -> float | None:
    accuracy = measured.get("accuracy") if isinstance(measured, Mapping) else None
    return float(accuracy) if isinstance(accuracy, int | float) else None


def _networks(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    careful = card.get("careful")
    every = [card.get("fast"), *(careful if isinstance(careful, list) else [])]
    return [network for network in every if isinstance(network, Mapping)]


def _worth_showing(promotion: Promotion) -> list[Mapping[str, Any]]:
    """What the gate measured: all digits of each set together, and each digit that was gained or lost."""
    checks = promotion.grounds.checks or {}
    rows = [*_list_of(checks, "together"), *_list_of(checks, "classes")]
    return [row for row in rows if row.get("digit") is None or row.get("gained") or row.get("lost")]


def _list_of(checks: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = checks.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


routes: list[BaseRoute] = [
    Route("/models", _list),
    Route("/models/compare", _compare),
    Route("/models/{model:int}", _show),
]
