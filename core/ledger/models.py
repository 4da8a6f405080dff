"""The models that may score: which of them is in production, which is the challenger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, case, insert, or_, select, text, update

from core import clock, tables
from core.database import Database
from core.errors import IllegalTransition, ModelNotFound
from core.ledger import promotions
from core.ledger.promotions import NOBODY, Grounds, Kind
from core.vocabulary import JobState, Model

PRODUCTION = "production"
CHALLENGER = "challenger"
#: Names that a model can only hold, and not have.
ALIASES = (PRODUCTION, CHALLENGER)

_jobs, _models = tables.jobs, tables.models

#: Put together once: one is asked with every job, the other with every batch.
_ID_IN_PRODUCTION = select(_models.c.id).where(_models.c.alias == PRODUCTION)
_CHALLENGER = select(_models.c.id, _models.c.challenger_share).where(_models.c.alias == CHALLENGER)


@dataclass(frozen=True, slots=True)
class Succession:
    """What a model took over from others that are gone."""

    #: Whether it went into production.
    promoted: bool
    #: Jobs that it scores in their place.
    jobs: int


def register(
    database: Database,
    *,
    name: str,
    sha256: str,
    location: str,
    card: Mapping[str, object],
    registered_by: str = NOBODY,
) -> Model:
    """Make a model known; the first one becomes `production`. A model known already keeps its place and alias.

    Args:
        database: the ledger.
        name: the card's name.
        sha256: of the card, hexadecimal; it is the model's identity.
        location: folder of the artefact.
        card: the card's content.
        registered_by: who says so, for people to read.
    """
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        known = connection.execute(select(_models.c.id).where(_models.c.sha256 == sha256)).scalar_one_or_none()
        if known is not None:
            connection.execute(update(_models).where(_models.c.id == known).values(location=location, card=dict(card)))
        else:
            values = {"name": name, "sha256": sha256, "location": location, "card": dict(card)}
            added = insert(_models).values(registered_at=clock.now(), **values).returning(_models.c.id)
            model_id = int(connection.execute(added).scalar_one())
            if production_id(connection) is None:
                _put_in_production(connection, model_id, Grounds(Kind.FIRST, registered_by))
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
    """The model of that alias, else of that name; of several with one name, the latest registered.

    Raises:
        ModelNotFound: there is none.
    """
    held = _models.c.alias == reference
    model = _first(database, or_(held, _models.c.name == reference), case((held, 0), else_=1))
    if model is None:
        raise ModelNotFound(f"There is no model {reference!r}.")
    return model


def known_as(database: Database, sha256: str) -> Model | None:
    """The model of that identity, if it is known."""
    return _first(database, _models.c.sha256 == sha256)


def in_production(database: Database) -> Model | None:
    """The model that scores every job submitted from now on, if there is one."""
    return _first(database, _models.c.alias == PRODUCTION)


def challenger(database: Database) -> Model | None:
    """The model that scores in the shadow, if there is one."""
    return _first(database, _models.c.alias == CHALLENGER)


def promote(database: Database, model: Model, grounds: Grounds | None = None, *, over: Model | None = None) -> Model:
    """Let a model score every job submitted from now on; a model in production already stays, and nothing is noted.

    Args:
        database: the ledger.
        model: the model.
        grounds: what allowed it, and who says so; None: the gate, and nobody does.
        over: the model whose place it is to take; None: that of whichever is in production.

    Raises:
        IllegalTransition: another model than `over` went into production meanwhile.
    """
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        present = production_id(connection)
        # Before anything else: of two that promote it at once, the second one finds that all is done.
        if present != model.id:
            if over is not None and present != over.id:
                raise IllegalTransition(
                    f"{over.name!r} is not in production any more, so {model.name!r} does not take its place.",
                    mend="See with `digitline models list` what is, then decide anew.",
                )
            _put_in_production(connection, model.id, grounds or Grounds())
    return get(database, model.id)


def previous(database: Database) -> Model:
    """The model that was in production before the present one; what was rolled back is passed over.

    Raises:
        ModelNotFound: there was none.
    """
    with database.read() as connection:
        before = promotions.before_present(connection)
    if before is None:
        raise ModelNotFound("No model was in production before the present one.")
    return get(database, before)


def challenger_and_share(connection: Connection) -> tuple[int | None, float | None]:
    """Id of the challenger and its own share of the batches, as far as there are; part of the caller's transaction."""
    row = connection.execute(_CHALLENGER).one_or_none()
    return (None, None) if row is None else (row.id, row.challenger_share)


def challenge(database: Database, model: Model, share: float | None = None) -> Model:
    """Let a model score a share of the batches in the shadow, in place of another one.

    Args:
        database: the ledger.
        model: any but the one in production.
        share: of the batches, 0 to 1; None: as each worker's settings say.

    Raises:
        IllegalTransition: it is in production.
    """
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        if production_id(connection) == model.id:
            raise IllegalTransition(
                f"{model.name!r} is in production, so it cannot be its own challenger.", mend="Name another model."
            )
        _take_alias(connection, CHALLENGER)
        given = {"alias": CHALLENGER, "challenger_share": share}
        connection.execute(update(_models).where(_models.c.id == model.id).values(given))
    return get(database, model.id)


def end_challenge(database: Database) -> None:
    """Let no model score in the shadow; what the challenger said stays."""
    with database.begin() as connection:
        _take_alias(connection, CHALLENGER)


def succeed(database: Database, gone: Collection[Model], successor: Model, *, promoted_by: str = NOBODY) -> Succession:
    """Let a model take over from others that are gone, in one transaction.

    It goes into production where one of them is there, and scores their jobs that are queued and never started.

    Args:
        database: the ledger.
        gone: models that can score no more.
        successor: the model; none of them.
        promoted_by: who says so, for people to read.
    """
    ids = [model.id for model in gone]
    waiting = (_jobs.c.model_id.in_(ids), _jobs.c.state == JobState.QUEUED.value, _jobs.c.started_at.is_(None))
    with database.begin() as connection:
        _one_at_a_time(database, connection)
        promoted = production_id(connection) in ids
        if promoted:
            _put_in_production(connection, successor.id, Grounds(Kind.SUCCESSOR, promoted_by))
        jobs = connection.execute(update(_jobs).where(*waiting).values(model_id=successor.id)).rowcount
    return Succession(promoted, jobs)


def _put_in_production(connection: Connection, model_id: int, grounds: Grounds) -> None:
    _take_alias(connection, PRODUCTION)
    promoted = {"alias": PRODUCTION, "promoted_at": clock.now(), "challenger_share": None}
    connection.execute(update(_models).where(_models.c.id == model_id).values(promoted))
    promotions.note(connection, model_id, grounds)


def _take_alias(connection: Connection, alias: str) -> None:
    taken = {"alias": None, "challenger_share": None}
    connection.execute(update(_models).where(_models.c.alias == alias).values(taken))


def production_id(connection: Connection) -> int | None:
    """Id of the model in production, if there is one; part of the caller's transaction."""
    return connection.execute(_ID_IN_PRODUCTION).scalar_one_or_none()


def _first(database: Database, condition: Any, *order: Any) -> Model | None:
    with database.read() as connection:
        row = connection.execute(select(_models).where(condition).order_by(*order, _models.c.id.desc())).first()
    return None if row is None else _model(row)


def _one_at_a_time(database: Database, connection: Connection) -> None:
    """Keep others from changing the models until the end of the transaction; SQLite has one writer anyhow."""
    if not database.sqlite:
        connection.execute(text("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE"))


def _model(row: Row[Any]) -> Model:
    return Model(row.id, row.name, row.sha256, row.alias, row.location, row.card, row.promoted_at, row.challenger_share)
