"""What the verbs about models share: to find one, and to show what was found."""

from __future__ import annotations

from collections.abc import Sequence

from core.database import Database
from core.ledger import models as ledger
from core.ledger.promotions import Promotion
from core.vocabulary import Model, number_of
from digitline.cli.models_gate import Measurement
from digitline.cli.screen import moment, percent, screen, table, tell
from digitline.records import as_json, iso


def find_model(database: Database, reference: str) -> Model:
    """The model of that number, name or alias.

    Raises:
        ModelNotFound: there is none.
    """
    number = number_of(reference)
    return ledger.find(database, reference) if number is None else ledger.get(database, number)


def print_models(models: Sequence[Model], history: Sequence[Promotion], json: bool) -> None:
    """Print the models; as JSON with their cards and the history of promotions."""
    if json:
        cards = [{**model_record(model), "card": dict(model.card)} for model in models]
        print(as_json({"models": cards, "promotions": [_promotion_record(one) for one in history]}))
        return
    columns = ("id", "name", "alias", "test accuracy", "trained", "promoted", "sha256", "folder")
    rows = (
        (
            model.id,
            model.name,
            model.alias,
            percent(_test_accuracy(model)),
            str(model.card.get("created", ""))[:10],
            moment(model.promoted_at),
            model.sha256[:12],
            model.location,
        )
        for model in models
    )
    screen().print(table(columns, rows, numbers=["id", "test accuracy"]))


def show(model: Model | None, json: bool, sentence: str) -> None:
    """Print what became of a model."""
    tell(None if model is None else model_record(model), sentence, json=json)


def print_measurement(measured: Measurement, json: bool) -> None:
    """Print what the gate measured; as JSON only where it refuses, for otherwise the model is what is printed."""
    if json:
        if measured.worse:
            print(as_json({"promoted": False, "checks": measured.as_dict()}))
        return
    console = screen()
    rows = (
        (
            one.folder,
            f"{one.images:,}",
            percent(one.production_right / one.images),
            percent(one.candidate_right / one.images),
        )
        for one in measured.sets
    )
    columns = ("evaluation set", "images", "production", "candidate")
    console.print(table(columns, rows, numbers=columns[1:]))
    console.print()
    checks = (
        (
            check.name,
            "all" if check.digit is None else check.digit,
            f"{check.images:,}",
            f"{check.gained:,}",
            f"{check.lost:,}",
            f"{check.p_value:.4f}",
            "yes" if check.worse else "",
        )
        for check in measured.checks
    )
    titles = ("evaluation set", "digit", "images", "gained", "lost", "p", "worse")
    console.print(table(titles, checks, numbers=titles[1:6]))
    console.print()


def model_record(model: Model) -> dict[str, object]:
    """A model as an object."""
    return {
        "id": model.id,
        "name": model.name,
        "alias": model.alias,
        "sha256": model.sha256,
        "location": model.location,
        "promoted_at": iso(model.promoted_at),
        "test_accuracy": _test_accuracy(model),
        "challenger_share": model.challenger_share,
    }


def _promotion_record(promotion: Promotion) -> dict[str, object]:
    return {
        "model": promotion.model_id,
        "kind": promotion.grounds.kind.value,
        "promoted_at": iso(promotion.promoted_at),
        "promoted_by": promotion.grounds.promoted_by,
        "reason": promotion.grounds.reason,
        "checks": promotion.grounds.checks,
    }


def _test_accuracy(model: Model) -> float | None:
    """What the card says; a card is somebody else's file, so anything may stand there."""
    test = model.card.get("test")
    accuracy = test.get("accuracy") if isinstance(test, dict) else None
    return float(accuracy) if isinstance(accuracy, (int, float)) else None
