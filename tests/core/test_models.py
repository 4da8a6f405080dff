"""Models: known by the digest of their weights, one of them in production."""

from __future__ import annotations

from functools import partial

import pytest

from core.database import Database
from core.errors import ModelNotFound
from core.ledger import models
from tests.core.examples import digest, register_model
from tests.core.racing import at_once, several_databases


def test_the_first_model_is_in_production_and_later_ones_are_not(database: Database) -> None:
    first, second = register_model(database, "first"), register_model(database, "second")
    assert (first.alias, second.alias) == ("production", None)
    assert first.promoted_at is not None
    assert models.find(database, "production") == first
    assert models.every(database) == [first, second]


def test_a_model_known_already_keeps_its_place_and_takes_the_new_card(database: Database) -> None:
    first = register_model(database, "first")
    again = models.register(database, name="ignored", sha256=first.sha256, location="/elsewhere", card={"v": 2})
    assert (again.id, again.name, again.alias) == (first.id, "first", "production")
    assert (again.location, again.card) == ("/elsewhere", {"v": 2})
    assert models.every(database) == [again]


def test_of_several_that_register_the_first_model_at_once_all_get_it(database: Database, database_url: str) -> None:
    register = partial(models.register, name="m", sha256=digest("m"), location="/m", card={})
    with several_databases(database_url, 6) as many:
        answers = at_once([partial(register, mine) for mine in many])
    (known,) = models.every(database)
    assert known.alias == "production"
    assert answers == [known] * 6


def test_promoting_moves_the_alias_and_remembers_the_one_before(database: Database) -> None:
    first, second = register_model(database, "first"), register_model(database, "second")
    promoted = models.promote(database, second)
    assert (promoted.id, promoted.alias) == (second.id, "production")
    assert models.get(database, first.id).alias is None
    assert models.previous(database).id == first.id
    models.promote(database, models.previous(database))
    assert models.find(database, "production").id == first.id
    assert models.previous(database).id == second.id


def test_of_models_promoted_at_once_one_is_in_production(database: Database, database_url: str) -> None:
    register_model(database, "first")
    candidates = [register_model(database, f"candidate {number}") for number in range(4)]
    with several_databases(database_url, 4) as many:
        pairs = zip(many, candidates, strict=True)
        at_once([partial(models.promote, mine, candidate) for mine, candidate in pairs])
    assert [model.alias for model in models.every(database)].count("production") == 1


def test_without_a_model_before_there_is_none_to_go_back_to(database: Database) -> None:
    register_model(database, "first")
    with pytest.raises(ModelNotFound, match="before the present one"):
        models.previous(database)


def test_a_model_that_is_not_known_is_not_found(database: Database) -> None:
    with pytest.raises(ModelNotFound, match="There is no model 7"):
        models.get(database, 7)
    with pytest.raises(ModelNotFound, match="There is no model 'best'"):
        models.find(database, "best")


def test_of_two_models_of_one_name_the_later_is_found(database: Database) -> None:
    register_model(database, "same")
    later = models.register(database, name="same", sha256=digest("other"), location="/other", card={})
    assert models.find(database, "same") == later
