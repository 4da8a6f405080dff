"""Models: known by the digest of their card, one of them in production, another one perhaps the challenger."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import IllegalTransition, ModelNotFound
from core.ledger import jobs, models, promotions
from core.ledger.models import Succession
from core.ledger.promotions import NOBODY, Grounds, Kind
from core.vocabulary import Model
from tests.core.examples import create_job, digest, new_job, register_model, score
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


def test_every_promotion_is_noted_with_what_allowed_it(database: Database) -> None:
    first, second, third = (register_model(database, name) for name in ("first", "second", "third"))
    measured = Grounds(Kind.GATE, "ann", checks={"alpha": 0.05})
    forced = Grounds(Kind.FORCED, "bob", reason="the other one is gone")
    models.promote(database, second, measured)
    models.promote(database, third, forced)
    noted = promotions.history(database)
    assert [(one.model_id, one.grounds) for one in noted] == [
        (first.id, Grounds(Kind.FIRST, NOBODY)),
        (second.id, measured),
        (third.id, forced),
    ]
    assert noted == sorted(noted, key=lambda one: one.promoted_at)


def test_promoting_what_is_in_production_changes_and_notes_nothing(database: Database) -> None:
    first = register_model(database, "first")
    assert models.promote(database, first) == first
    assert len(promotions.history(database)) == 1


def roll_back(database: Database) -> Model:
    """As the verb does."""
    return models.promote(database, models.previous(database), Grounds(Kind.ROLLBACK))


def test_a_rollback_after_a_rollback_goes_further_back_and_not_forth_again(database: Database) -> None:
    first, second, third = (register_model(database, name) for name in ("first", "second", "third"))
    models.promote(database, second)
    models.promote(database, third)
    assert roll_back(database).id == second.id
    assert roll_back(database).id == first.id
    with pytest.raises(ModelNotFound, match="before the present one"):
        models.previous(database)
    models.promote(database, third)
    assert roll_back(database).id == first.id


def test_a_model_measured_against_one_that_is_gone_from_production_is_not_promoted(database: Database) -> None:
    first, second, third = (register_model(database, name) for name in ("first", "second", "third"))
    models.promote(database, second)
    with pytest.raises(IllegalTransition, match="'first' is not in production any more, so 'third' does not") as caught:
        models.promote(database, third, over=first)
    assert "digitline models list" in caught.value.mend
    assert "measured" not in str(caught.value)
    assert models.find(database, "production").id == second.id


def test_of_two_that_promote_one_model_in_place_of_another_the_second_finds_it_done(database: Database) -> None:
    first, second = register_model(database, "first"), register_model(database, "second")
    assert models.promote(database, second, over=first).alias == "production"
    assert models.promote(database, second, over=first).alias == "production"
    assert len(promotions.history(database)) == 2


@pytest.mark.parametrize("alias", models.ALIASES)
def test_a_model_that_has_the_name_of_an_alias_is_not_taken_for_the_one_that_holds_it(
    database: Database, alias: str
) -> None:
    register_model(database, "first")
    models.challenge(database, register_model(database, "second"))
    misnamed = register_model(database, alias)
    assert models.find(database, alias).alias == alias
    assert models.find(database, alias).id != misnamed.id


def test_a_model_is_known_by_its_hash(database: Database) -> None:
    first = register_model(database, "first")
    assert models.known_as(database, first.sha256) == first
    assert models.known_as(database, digest("another")) is None


def test_one_model_at_a_time_is_the_challenger(database: Database) -> None:
    _, second, third = (register_model(database, name) for name in ("first", "second", "third"))
    assert models.challenger(database) is None
    models.challenge(database, second, 0.25)
    challenger = models.challenger(database)
    assert challenger is not None
    assert (challenger.id, challenger.alias, challenger.challenger_share) == (second.id, "challenger", 0.25)
    assert models.challenge(database, third).challenger_share is None
    assert [model.alias for model in models.every(database)] == ["production", None, "challenger"]
    models.end_challenge(database)
    assert models.challenger(database) is None


def test_the_model_in_production_cannot_challenge_itself(database: Database) -> None:
    first = register_model(database, "first")
    with pytest.raises(IllegalTransition, match="cannot be its own challenger"):
        models.challenge(database, first)


def test_a_challenger_that_is_promoted_challenges_no_more(database: Database) -> None:
    register_model(database, "first")
    models.challenge(database, register_model(database, "second"), 1.0)
    promoted = models.promote(database, models.find(database, "challenger"))
    assert (promoted.alias, promoted.challenger_share) == ("production", None)
    assert models.challenger(database) is None


def test_only_jobs_that_never_started_are_handed_over_to_a_successor(database: Database) -> None:
    started = create_job(database, name="started")
    score(database, started)
    waiting = jobs.create(database, new_job(name="waiting"))
    gone, successor = models.find(database, "production"), register_model(database, "successor")
    assert models.succeed(database, [gone], successor) == Succession(promoted=True, jobs=1)
    assert jobs.get(database, waiting.id).model == "successor"
    assert jobs.get(database, started.id).model == gone.name
    assert models.find(database, "production").id == successor.id
    assert promotions.history(database)[-1].grounds.kind is Kind.SUCCESSOR
    assert models.succeed(database, [gone], successor) == Succession(promoted=False, jobs=0)


def test_a_succession_is_whole_or_not_at_all(database: Database) -> None:
    waiting = create_job(database)
    gone, successor = models.find(database, "production"), register_model(database, "successor")
    nowhere = dataclasses.replace(successor, id=successor.id + 1)
    with pytest.raises(IntegrityError):
        models.succeed(database, [gone], nowhere)
    assert models.find(database, "production").id == gone.id
    assert jobs.get(database, waiting.id).model == gone.name


def test_a_successor_does_not_take_production_from_a_model_that_is_there(database: Database) -> None:
    waiting = create_job(database)
    gone, own = models.find(database, "production"), register_model(database, "own")
    models.promote(database, own)
    successor = register_model(database, "successor")
    assert models.succeed(database, [gone], successor) == Succession(promoted=False, jobs=1)
    assert models.find(database, "production").id == own.id
    assert jobs.get(database, waiting.id).model == "successor"


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
