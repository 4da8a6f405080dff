"""Brings a ledger up to date: its schema, and the shipped model in it; the door by which models come in."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command

from classifier.artifact import check_files, model_sha256, read_card, shipped_model
from core.database import Database
from core.errors import ArtifactError
from core.ledger import models
from core.settings import Settings
from core.vocabulary import Model

log = logging.getLogger(__name__)

#: Who promotes what this module does, for people to read.
_WHO = "digitline setup"


def prepare_ledger(settings: Settings) -> None:
    """Create or migrate the schema, and register the model that the settings name.

    Raises:
        LedgerUnreachable: the database does not answer.
        ArtifactError: the model's folder is missing or damaged.
    """
    database = Database(settings.database)
    if database.sqlite and database.url.database:
        settings.home_folder.mkdir(parents=True, exist_ok=True)
    try:
        database.refuse_unknown_revision()
        command.upgrade(database.alembic_config(), "head")
        register_model(database, settings)
    finally:
        database.close()


def register_model(database: Database, settings: Settings) -> Model:
    """Make the settings' model, or the shipped one, known to the ledger; the first one scores.

    Where a model came with an earlier Digitline and is gone with it, the one shipped now takes over: in production,
    and with the jobs that waited for the other one.
    """
    registered = register_folder(database, settings.model or shipped_model(), settings)
    gone = [model for model in models.every(database) if _went_with_its_release(model)]
    if not gone:
        return registered
    successor = register_folder(database, shipped_model(), settings)
    succession = models.succeed(database, gone, successor, promoted_by=_WHO)
    names = ", ".join(model.name for model in gone)
    if succession.promoted:
        log.warning(
            "%s came with an earlier Digitline and is gone; the shipped %s scores every job submitted from now on, "
            "and %d that waited for it",
            names,
            successor.name,
            succession.jobs,
        )
    elif succession.jobs:
        log.warning(
            "%s came with an earlier Digitline and is gone; of the jobs that waited for it, the shipped %s scores %d",
            names,
            successor.name,
            succession.jobs,
        )
    return models.get(database, registered.id)


def register_folder(database: Database, folder: Path, settings: Settings, *, registered_by: str = _WHO) -> Model:
    """Make the model of a folder known to the ledger; the first one scores.

    Args:
        database: the ledger.
        folder: the model folder. Where the ledger knows the model from another folder that still holds it, that one
            stays: a copy moves nothing.
        settings: say where people drop their images; no model comes from there.
        registered_by: who says so, for people to read.

    Raises:
        ArtifactError: the card is missing or damaged, has a name that means something else, or lies where people drop
            their images.
    """
    folder = folder.expanduser().absolute()
    refuse_drops(folder, settings)
    sha256 = model_sha256(folder)
    card = read_card(folder, sha256=sha256)
    if card.name in models.ALIASES:
        raise ArtifactError(
            f"{folder} calls its model {card.name!r}, which stands for whichever model has that part.",
            mend="Train it under another name.",
        )
    return models.register(
        database,
        name=card.name,
        sha256=sha256,
        location=str(_home_of(database, folder, sha256)),
        card=card.as_dict(),
        registered_by=registered_by,
    )


def refuse_drops(folder: Path, settings: Settings) -> None:
    """Models come from people who may decide what scores, and never from where anybody may drop files.

    Raises:
        ArtifactError: so the folder would.
    """
    if any(folder.resolve().is_relative_to(place.resolve()) for place in settings.drop_folders):
        raise ArtifactError(
            f"{folder} lies where people drop their images.", mend="Copy it to a folder that they cannot write to."
        )


def _home_of(database: Database, folder: Path, sha256: str) -> Path:
    """The folder that a model is read from: the one it is known by while that holds it whole, else the one given."""
    known = models.known_as(database, sha256)
    if known is None or known.location == str(folder):
        return folder
    before = Path(known.location)
    try:
        check_files(before, read_card(before, sha256=sha256))
    except ArtifactError:
        return folder
    return before


def _went_with_its_release(model: Model) -> bool:
    """Tell a model that was shipped once from a user's own, which is never replaced though its folder may be away.

    The next release may ship another model in a folder of the same name.
    """
    folder = Path(model.location)
    here = shipped_model().parent
    # With another Python, packages lie elsewhere; nobody keeps models of their own among them.
    installed = folder.parent.parts[-2:] == here.parts[-2:] and folder.parts[-4:-3] == ("site-packages",)
    if folder.parent != here and not installed:
        return False
    try:
        return model_sha256(folder) != model.sha256
    except ArtifactError:
        return True
