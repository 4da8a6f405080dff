"""Brings a ledger up to date: its schema, and the shipped model in it."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command

from classifier.artifact import model_sha256, read_card, shipped_model
from core.database import Database
from core.ledger import models
from core.ledger.promotions import Kind
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

    Where the model in production came with an earlier Digitline and is gone with it, the one shipped now takes over.
    """
    registered = register_folder(database, settings.model or shipped_model())
    present = models.in_production(database)
    if present is None or not _went_with_its_release(present):
        return registered
    successor = register_folder(database, shipped_model())
    models.promote(database, successor, over=present, kind=Kind.SUCCESSOR, promoted_by=_WHO)
    jobs = models.hand_over(database, present, successor)
    log.warning(
        "%s came with an earlier Digitline and is gone; the shipped %s scores every job submitted from now on, "
        "and %d that waited for it",
        present.name,
        successor.name,
        jobs,
    )
    return models.get(database, registered.id)


def register_folder(database: Database, folder: Path, *, registered_by: str = _WHO) -> Model:
    """Make the model of a folder known to the ledger; the first one scores.

    Raises:
        ArtifactError: the card is missing or damaged.
    """
    folder = folder.expanduser().absolute()
    sha256 = model_sha256(folder)
    card = read_card(folder, sha256=sha256)
    return models.register(
        database,
        name=card.name,
        sha256=sha256,
        location=str(folder),
        card=card.as_dict(),
        registered_by=registered_by,
    )


def _went_with_its_release(model: Model) -> bool:
    """Tell a model that was shipped once from a user's own, which is never replaced though its folder may be away."""
    folder = Path(model.location)
    here = shipped_model().parent
    # With another Python, packages lie elsewhere; nobody keeps models of their own among them.
    installed = folder.parent.parts[-2:] == here.parts[-2:] and folder.parts[-4:-3] == ("site-packages",)
    return (folder.parent == here or installed) and not folder.exists()
