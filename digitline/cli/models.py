"""The verbs about the models that may score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from classifier import keras_file
from classifier.artifact import read_card
from core.errors import PromotionRefused
from core.ledger import models as ledger
from core.ledger import promotions
from core.ledger.promotions import Grounds, Kind
from core.settings import get_settings
from core.vocabulary import Model
from digitline.cli import models_compare, models_export
from digitline.cli.models_gate import Measurement, measure, sets_to_measure
from digitline.cli.models_show import find_model, print_measurement, print_models, show
from digitline.cli.options import Json, ModelReference
from digitline.client import ready_line
from digitline.setup import register_folder
from digitline.who import user_name

verbs = typer.Typer(no_args_is_help=True, help="List, add, promote, roll back, challenge, compare and export models.")


On = Annotated[
    list[Path] | None,
    typer.Option(
        help="Evaluation set: class folders 0/ to 9/ of images, or MNIST's IDX files; may be given several times; "
        "default: DIGITLINE_EVALUATION_SETS.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Promote without measuring; needs --reason.")]
Reason = Annotated[str, typer.Option(help="Why it is forced; recorded.")]


@verbs.command("list")
def list_models(json: Json = False) -> None:
    """List the models, the latest promoted first; the JSON holds their cards and every promotion too."""
    database = ready_line().database
    print_models(ledger.every(database), promotions.history(database), json)


@verbs.command(epilog="Example: digitline models add models/mine")
def add(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Model folder: card.json and the networks it names.")
    ],
    json: Json = False,
) -> None:
    """Make a model known, after a check of its card and networks; jobs use it once it is promoted.

    The folder stays where it is; every worker must see it under this path. A copy of a model that is known already
    is not used while the folder it is known by still holds it.
    """
    _check_folder(folder)
    model = register_folder(ready_line().database, folder, get_settings(), registered_by=user_name())
    show(model, json, f"Model {model.id} {model.name!r} is known, and read from {model.location}.")


@verbs.command(epilog="Example: digitline models promote mine --on labelled-scans/")
def promote(
    model: ModelReference, on: On = None, force: Force = False, reason: Reason = "", json: Json = False
) -> None:
    """Let a model score every job submitted from now on; jobs that run keep theirs.

    First it is measured beside the model in production, on the same images of every evaluation set. Where it reads a
    digit, or all digits of a set together, worse than chance explains (exact one-sided McNemar test), it is not
    promoted; nor where a set holds too few images of a digit to tell.
    """
    if force != bool(reason.strip()):
        raise typer.BadParameter("--force and --reason TEXT need each other.", param_hint="--force")
    database = ready_line().database
    found = find_model(database, model)
    present = ledger.in_production(database)
    if present is not None and present.id == found.id:
        show(found, json, f"Model {found.id} {found.name!r} is in production already.")
        return
    _check_known(found)
    measured = None if force or present is None else _measured(present, found, on, json)
    grounds = Grounds(
        kind=Kind.FORCED if force else Kind.FIRST if present is None else Kind.GATE,
        promoted_by=user_name(),
        reason=reason.strip() or None,
        checks=None if measured is None else measured.as_dict(),
    )
    promoted = ledger.promote(database, found, grounds, over=present)
    show(promoted, json, f"Model {promoted.id} {promoted.name!r} scores every job submitted from now on.")


@verbs.command()
def rollback(json: Json = False) -> None:
    """Return to the model that was in production before the present one, without measuring it."""
    database = ready_line().database
    present, found = ledger.in_production(database), ledger.previous(database)
    _check_known(found)
    back = ledger.promote(database, found, Grounds(Kind.ROLLBACK, user_name()), over=present)
    show(back, json, f"Model {back.id} {back.name!r} scores every job submitted from now on, as it did before.")


@verbs.command(epilog="Example: digitline models challenge mine --share 0.5")
def challenge(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Its number, name or alias.")] = None,
    share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the batches that it scores; default: DIGITLINE_CHALLENGER_SHARE."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Let no model be the challenger.")] = False,
    json: Json = False,
) -> None:
    """Let a model score a share of the batches in the shadow: beside the one in production, without any effect.

    Workers take it up with their next batch. `digitline models compare` shows where the two differ.
    """
    if none == (model is not None):
        raise typer.BadParameter("Name a model, or say --none.", param_hint="MODEL")
    database = ready_line().database
    if model is None:
        ledger.end_challenge(database)
        show(None, json, "No model is the challenger.")
        return
    found = find_model(database, model)
    _check_known(found)
    challenger = ledger.challenge(database, found, share)
    part = get_settings().challenger_share if share is None else share
    show(challenger, json, f"Model {challenger.id} {challenger.name!r} scores {part:.4g} of the batches in the shadow.")


verbs.command(epilog="Example: digitline models compare --json")(models_compare.compare)
verbs.command(epilog="Example: digitline models export models/mine models/mine-exported --data mnist/")(
    models_export.export
)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(verbs, name="models")


def _measured(present: Model, candidate: Model, on: list[Path] | None, json: bool) -> Measurement:
    measured = measure(present, candidate, sets_to_measure(candidate, on))
    print_measurement(measured, json)
    if measured.worse:
        digits = ", ".join(
            f"{'all digits' if check.digit is None else check.digit} of {check.name}" for check in measured.worse
        )
        raise PromotionRefused(
            f"{candidate.name!r} reads worse than {present.name!r}, beyond chance: {digits}.",
            mend="Promote it all the same with --force --reason TEXT, which is recorded.",
        )
    return measured


def _check_known(model: Model) -> None:
    """Refuse a model whose folder is not, file by file, the one that was added."""
    _check_folder(Path(model.location), sha256=model.sha256)


def _check_folder(folder: Path, *, sha256: str | None = None) -> None:
    """Refuse now what every worker would refuse later."""
    card = read_card(folder, sha256=sha256)
    keras_file.check_folder(folder, card)
