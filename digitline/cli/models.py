"""The verbs about the models that may score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classifier.artifact import check_weights, read_card
from core.database import Database
from core.errors import ArtifactError
from core.ledger import models as ledger
from core.settings import get_settings
from core.vocabulary import Model
from digitline.cli.screen import moment, percent, screen, table
from digitline.records import as_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

verbs = typer.Typer(no_args_is_help=True, help="List, add, promote and roll back models.")


@verbs.command("list")
def list_models(json: Json = False) -> None:
    """List the models, the latest promoted first."""
    found = ledger.every(_database())
    if json:
        print(as_json({"models": [_record(model) for model in found]}))
        return
    columns = ("id", "name", "alias", "test accuracy", "promoted", "sha256", "folder")
    rows = (
        (
            str(model.id),
            model.name,
            model.alias or "",
            percent(_test_accuracy(model)),
            moment(model.promoted_at),
            model.sha256[:12],
            model.location,
        )
        for model in found
    )
    screen().print(table(columns, rows, numbers=["id", "test accuracy"]))


@verbs.command(epilog="Example: digitline models add models/mine")
def add(
    folder: Annotated[Path, typer.Argument(help="Model folder: card.json and model.weights.h5.")], json: Json = False
) -> None:
    """Make a model known, after a check of its card and weights; jobs use it once it is promoted.

    The folder stays where it is; every worker must see it under this path.
    """
    card = read_card(folder)
    check_weights(folder, card)
    location = str(folder.expanduser().absolute())
    model = ledger.register(
        _database(), name=card.name, sha256=card.weights_sha256, location=location, card=card.as_dict()
    )
    _show(model, json, f"Model {model.id} {model.name!r} is known.")


@verbs.command(epilog="Example: digitline models promote mine")
def promote(model: Annotated[str, typer.Argument(help="Its number, name or alias.")], json: Json = False) -> None:
    """Let a model score every job submitted from now on; jobs that run keep theirs."""
    database = _database()
    found = ledger.get(database, int(model)) if _is_number(model) else ledger.find(database, model)
    _promote(database, found, json)


@verbs.command()
def rollback(json: Json = False) -> None:
    """Promote the model that was in production before the present one."""
    database = _database()
    _promote(database, ledger.previous(database), json)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(verbs, name="models")


def _promote(database: Database, model: Model, json: bool) -> None:
    folder = Path(model.location)
    card = read_card(folder)
    check_weights(folder, card)
    if card.weights_sha256 != model.sha256:
        raise ArtifactError(
            f"{folder} holds another model than {model.name!r}.", mend="Add it anew under its own name."
        )
    promoted = ledger.promote(database, model)
    _show(promoted, json, f"Model {promoted.id} {promoted.name!r} scores every job submitted from now on.")


def _database() -> Database:
    database = Database(get_settings().database)
    database.check_revision()
    return database


def _is_number(reference: str) -> bool:
    return reference.isascii() and reference.isdecimal() and len(reference) < 10


def _show(model: Model, json: bool, sentence: str) -> None:
    if json:
        print(as_json(_record(model)))
    else:
        screen().print(sentence)


def _record(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "alias": model.alias,
        "sha256": model.sha256,
        "location": model.location,
        "promoted_at": None if model.promoted_at is None else model.promoted_at.isoformat(),
        "test_accuracy": _test_accuracy(model),
    }


def _test_accuracy(model: Model) -> float | None:
    """What the card says; a card is somebody else's file, so anything may stand there."""
    test = model.card.get("test")
    accuracy = test.get("accuracy") if isinstance(test, dict) else None
    return float(accuracy) if isinstance(accuracy, (int, float)) else None
