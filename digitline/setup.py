"""Brings a ledger up to date: its schema, and the shipped model in it."""

from __future__ import annotations

from alembic import command

from classifier.artifact import read_card, shipped_model
from core.database import Database
from core.ledger import models
from core.settings import Settings
from core.vocabulary import Model


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
    """Make the settings' model, or the shipped one, known to the ledger; the first one scores."""
    folder = (settings.model or shipped_model()).absolute()
    card = read_card(folder)
    return models.register(
        database, name=card.name, sha256=card.weights_sha256, location=str(folder), card=card.as_dict()
    )
