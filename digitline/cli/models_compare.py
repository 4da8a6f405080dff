"""The verb that says where the challenger and the model in production differ."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.database import Database
from core.errors import ModelNotFound
from core.ledger import models as ledger
from core.ledger import shadows
from core.ledger.shadows import Comparison, Disagreement
from core.settings import get_settings
from core.vocabulary import Model
from digitline.cli.models_show import Json, model_record
from digitline.cli.screen import facts, percent, screen, table
from digitline.records import as_json

_DIFFERENCES = ("production", "challenger", "images", "production right", "challenger right")
_DISAGREEMENTS = ("job", "production", "confidence", "challenger", "its confidence", "true", "job's name", "path")


def compare(
    show: Annotated[int, typer.Option(min=0, help="Differing images to show, the surest first.")] = 10,
    json: Json = False,
) -> None:
    """Show where the challenger and the model in production differ, on the images that both have scored."""
    database = Database(get_settings().database)
    database.check_revision()
    production, challenger = _production(database), _challenger(database)
    found = shadows.compare(database, production, challenger, shown=show)
    if json:
        print(as_json(_record(production, challenger, found)))
    else:
        _print(production, challenger, found)


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


def _cells(one: Disagreement) -> tuple[str, ...]:
    return (
        str(one.job_id),
        str(one.production),
        f"{one.production_confidence:.4f}",
        str(one.challenger),
        f"{one.challenger_confidence:.4f}",
        "" if one.true_label is None else str(one.true_label),
        one.job_name,
        one.path,
    )
