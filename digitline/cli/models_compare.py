"""The verb that says where the challenger and the model in production differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from core.database import Database
from core.errors import ModelNotFound
from core.ledger import models as ledger
from core.ledger import shadows
from core.ledger.shadows import Comparison, Disagreement
from core.plain import printable
from core.settings import get_settings
from core.vocabulary import Model
from digitline import client
from digitline.cli.lazy import Later
from digitline.cli.models_show import find_model, model_record
from digitline.cli.options import Json
from digitline.cli.screen import Cell, facts, percent, screen, table
from digitline.records import as_json

if TYPE_CHECKING:
    from digitline import contest, corrected
else:
    contest = Later("digitline.contest")
    corrected = Later("digitline.corrected")

_DIFFERENCES = ("production", "challenger", "images", "production right", "challenger right")
_DISAGREEMENTS = ("job", "production", "confidence", "challenger", "its confidence", "true", "job's name", "path")


def compare(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Its number, name or alias; default: the challenger.")
    ] = None,
    on_corrections: Annotated[
        bool, typer.Option("--on-corrections", help="Let both read the reviewed images anew; what people said is true.")
    ] = False,
    job: Annotated[list[str] | None, typer.Option(help="Job whose images are compared; default: all jobs.")] = None,
    show: Annotated[int, typer.Option(min=0, help="Differing images to show, the surest first.")] = 10,
    json: Json = False,
) -> None:
    """Show where a model and the one in production differ, on the images that both have scored.

    With --on-corrections both read every reviewed image anew, those aside that one of the two learned from.
    """
    database = client.ready_line().database
    production = _production(database)
    other = _challenger(database) if model is None else find_model(database, model)
    jobs = None if job is None else [client.job(one).id for one in job]
    if not on_corrections:
        _tell(production, other, shadows.compare(database, production, other, job_ids=jobs, shown=show), json)
        return
    images = corrected.reviewed_images(database, jobs)
    found = contest.compare_on_corrections(production, other, images, get_settings(), shown=show)
    left_out = {
        "learned": found.learned,
        "missing": [{"path": path, "why": why} for path, why in found.missing],
    }
    _tell(production, other, found.comparison, json, **left_out)
    if not json:
        _print_left_out(found)


def _tell(production: Model, other: Model, found: Comparison, json: bool, **more: object) -> None:
    if json:
        print(as_json({**_record(production, other, found), **more}))
    else:
        _print(production, other, found)


def _print_left_out(found: contest.Contest) -> None:
    console = screen(stderr=True)
    for path, why in found.missing:
        console.print(f"Left out: {printable(f'{path}: {why}')}")
    if found.learned:
        console.print(f"Left out: {found.learned:,} reviewed images that one of the two learned from.")


def _production(database: Database) -> Model:
    production = ledger.in_production(database)
    if production is None:
        raise ModelNotFound("No model is in production.", mend="`digitline models promote MODEL` puts one there.")
    return production


def _challenger(database: Database) -> Model:
    challenger = ledger.challenger(database)
    if challenger is None:
        raise ModelNotFound("No model is the challenger.", mend="`digitline models challenge MODEL` names one.")
    return challenger


def _record(production: Model, challenger: Model, found: Comparison) -> dict[str, object]:
    return {
        "production": model_record(production),
        "challenger": model_record(challenger),
        "images": found.images,
        "alike": found.alike,
        "agreement": found.agreement,
        "labelled": found.labelled,
        "production_right": found.production_right,
        "challenger_right": found.challenger_right,
        "differences": [asdict(difference) for difference in found.differences],
        "disagreements": [asdict(disagreement) for disagreement in found.disagreements],
    }


def _print(production: Model, challenger: Model, found: Comparison) -> None:
    console = screen()
    right = f"{found.production_right:,} and {found.challenger_right:,} of {found.labelled:,} labelled"
    agreement = percent(found.agreement, 3)
    summary = [
        ("production", production.name),
        ("challenger", challenger.name),
        ("images compared", f"{found.images:,}"),
        ("read alike", f"{found.alike:,} ({agreement})" if found.images else ""),
        ("read right", right if found.labelled else ""),
    ]
    console.print(facts(summary))
    if found.differences:
        console.print()
        rows = ([f"{count:,}" for count in asdict(difference).values()] for difference in found.differences)
        console.print(table(_DIFFERENCES, rows, numbers=_DIFFERENCES))
    if found.disagreements:
        console.print()
        console.print(table(_DISAGREEMENTS, map(_cells, found.disagreements), numbers=_DISAGREEMENTS[:6]))


def _cells(one: Disagreement) -> Sequence[Cell]:
    return (
        one.job_id,
        one.production,
        f"{one.production_confidence:.4f}",
        one.challenger,
        f"{one.challenger_confidence:.4f}",
        one.true_label,
        one.job_name,
        one.path,
    )
