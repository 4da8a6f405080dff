"""The models that may score, and which of them is in production."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, text, update

from core import clock, tables
from core.database import Database
from core.errors import ModelNotFound
from core.vocabulary import Model

PRODUCTION = "production"
_models = tables.models


def register(database: Database, *, name: str, sha256: str, location: str, card: Mapping[str, object]) -> Model:
    """Make a model known; the first one becomes `production`. A model known already keeps its place and alias.

    Args:
        name: the card's name.
        sha256: of the weights, hexadecimal; it is the model's identity.
        location: folder of the artefact.
        card: the card's content.
    """
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        known = connection.execute(select(_models.c.id).where(_models.c.sha256 == sha256)).scalar_one_or_none()
        if known is not None:
            connection.execute(update(_models).where(_models.c.id == known).values(location=location, card=dict(card)))
        else:
            first = connection.execute(select(_models.c.id).where(_models.c.alias == PRODUCTION)).first() is None
            connection.execute(
                insert(_models).values(
                    name=name,
                    sha256=sha256,
                    location=location,
                    card=dict(card),
                    registered_at=clock.now(),
                    alias=PRODUCTION if first else None,
                    promoted_at=clock.now() if first else None,
                )
            )
        return _model(connection.execute(select(_models).where(_models.c.sha256 == sha256)).one())


def every(database: Database) -> list[Model]:
    """All models, the latest promoted first."""
    with database.read() as connection:
        rows = connection.execute(select(_models).order_by(_models.c.promoted_at.desc().nulls_last(), _models.c.id))
        return [_model(row) for row in rows]


def get(database: Database, model_id: int) -> Model:
    """The model of that id.

    Raises:
        ModelNotFound: there is none.
    """
    with database.read() as connection:
        row = connection.execute(select(_models).where(_models.c.id == model_id)).one_or_none()
    if row is None:
        raise ModelNotFound(f"There is no model {model_id}.")
    return _model(row)


def find(database: Database, reference: str) -> Model:
    """The model of that alias or name; of several with one name, the latest registered.

    Raises:
        ModelNotFound: there is none.
    """
    named = select(_models).where(or_(_models.c.alias == reference, _models.c.name == reference))
    with database.read() as connection:
        row = connection.execute(named.order_by(_models.c.id.desc())).first()
    if row is None:
        raise ModelNotFound(f"There is no model {reference!r}.")
    return _model(row)


def promote(database: Database, model: Model) -> Model:
    """Let a model score every job submitted from now on."""
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        connection.execute(update(_models).where(_models.c.alias == PRODUCTION).values(alias=None))
        promoted = {"alias": PRODUCTION, "promoted_at": clock.now()}
        connection.execute(update(_models).where(_models.c.id == model.id).values(promoted))
    return get(database, model.id)


def previous(database: Database) -> Model:
    """The model that was in production before the present one.

    Raises:
        ModelNotFound: there was none.
    """
    before = [model for model in every(database) if model.promoted_at is not None and model.alias != PRODUCTION]
    if not before:
        raise ModelNotFound("No model was in production before the present one.")
    return before[0]


def _one_at_a_time(database: Database, connection: Connection) -> None:
    """Keep others from changing the models until the end of the transaction; SQLite has one writer anyhow."""
    if not database.sqlite:
        connection.execute(text("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE"))


def _model(row: Row[Any]) -> Model:
    return Model(row.id, row.name, row.sha256, row.alias, row.location, row.card, row.promoted_at)
