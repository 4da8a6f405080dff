"""The review queue: the least certain first, no image before two reviewers, and none that is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.database import Database
from core.ledger import batches, corrections, jobs, pruning, reviews
from core.ledger.corrections import Word
from core.ledger.gallery import Place
from core.ledger.reviews import Left
from core.vocabulary import Outcome, Reason, Verdict
from tests.core.examples import create_job, new_job, prediction, register_model, rejection, take
from tests.core.racing import at_once, several_databases

#: Of the images of `job_of`, by position: confidence and verdict, or why it was rejected.
IMAGES: list[tuple[float, Verdict] | Reason] = [
    (0.999, Verdict.DIGIT),
    (0.6, Verdict.UNCERTAIN),
    Reason.BLANK,
    (0.97, Verdict.DIGIT),
    (0.9, Verdict.NOT_A_DIGIT),
    (0.4, Verdict.UNCERTAIN),
    Reason.MISSING,
    (0.8, Verdict.DIGIT),
    Reason.SEVERAL,
]
#: Their positions in the order in which people are asked about them.
IN_TURN = [5, 1, 4, 2, 8, 7, 3]


def job_of(database: Database, images: list[tuple[float, Verdict] | Reason] | None = None) -> int:
    """A scored job of one batch; returns its number."""
    images = IMAGES if images is None else images
    register_model(database)
    job = jobs.create(database, new_job([len(images)]))
    lease = take(database, batches.of_job(database, job.id)[0])
    scored, refused = [], []
    for place, image in enumerate(images):
        if isinstance(image, Reason):
            refused.append(rejection(lease, place, image))
        else:
            confidence, verdict = image
            scored.append(prediction(lease, place, 3, verdict)._replace(confidence=confidence))
    batches.finish(database, lease, Outcome(scored, refused, []))
    return job.id


def positions(images: list[reviews.Placed]) -> list[int]:
    """Where the images stand in their batch."""
    return [image.place.position for image in images]


def test_the_least_certain_come_first_and_what_is_sure_or_was_never_seen_does_not_come(database: Database) -> None:
    job_id = job_of(database)
    assert positions(reviews.hand_out(database, "ada", count=20)) == IN_TURN
    assert reviews.left(database) == reviews.left(database, job_id) == Left(doubtful=5, unsure=2)


def test_what_was_reviewed_does_not_come_again_until_the_word_is_withdrawn(database: Database) -> None:
    job_of(database)
    first, second = reviews.hand_out(database, "ada", count=2)
    corrections.say(database, first.place, Word.digit(7), by="ada")
    assert positions(reviews.hand_out(database, "ada", count=2)) == [second.place.position, 4]
    assert reviews.left(database) == Left(doubtful=4, unsure=2)
    corrections.withdraw(database, by="ada")
    assert reviews.left(database) == Left(doubtful=5, unsure=2)
    assert positions(reviews.hand_out(database, "bob", count=1)) == [5]


def test_two_reviewers_get_different_images_and_each_the_same_again(database: Database) -> None:
    job_of(database)
    ada, bob = reviews.hand_out(database, "ada", count=2), reviews.hand_out(database, "bob", count=2)
    assert positions(ada) + positions(bob) == IN_TURN[:4]
    assert reviews.hand_out(database, "ada", count=2) == ada
    assert reviews.take(database, "bob", ada[0].place) is False
    assert reviews.take(database, "bob", bob[0].place) is True


def test_what_a_reviewer_leaves_behind_is_there_for_others(database: Database) -> None:
    job_of(database)
    reviews.hand_out(database, "ada", count=3)
    reviews.give_back(database, "ada", Place(batches.of_job(database, 1)[0].id, 1))
    assert positions(reviews.hand_out(database, "bob")) == [1]
    reviews.give_back(database, "ada")
    assert positions(reviews.hand_out(database, "bob", count=3)) == [5, 1, 4]


def test_a_lease_that_has_run_out_keeps_nobody_waiting(database: Database) -> None:
    job_of(database)
    reviews.hand_out(database, "ada", count=3, lease_time=-1.0)
    assert positions(reviews.hand_out(database, "bob", count=3)) == [5, 1, 4]
    assert positions(reviews.hand_out(database, "ada", count=1)) == [2]


def test_a_reviewer_of_one_job_gets_its_images_alone_and_lets_go_of_others(database: Database) -> None:
    first, second = job_of(database), job_of(database, [(0.5, Verdict.UNCERTAIN)])
    assert {one.job_id for one in reviews.hand_out(database, "ada", count=20)} == {first, second}
    (only,) = reviews.hand_out(database, "ada", job_id=second, count=20)
    assert (only.job_id, only.result.confidence) == (second, 0.5)
    assert positions(reviews.hand_out(database, "bob", job_id=first, count=20)) == IN_TURN
    assert reviews.left(database, second) == Left(doubtful=1, unsure=0)


def test_reviewers_who_ask_at_once_never_have_an_image_together(database_url: str) -> None:
    with several_databases(database_url, 4) as databases:
        images: list[tuple[float, Verdict] | Reason] = [(0.3 + place / 100, Verdict.UNCERTAIN) for place in range(40)]
        job_of(databases[0], images)

        def review(database: Database, name: str) -> list[int]:
            seen = []
            while images := reviews.hand_out(database, name, count=3):
                seen.append(images[0].place.position)
                corrections.say(database, images[0].place, Word.digit(1), by=name)
            return seen

        seen = at_once([lambda db=db, name=name: review(db, name) for db, name in zip(databases, "abcd", strict=True)])
    assert sorted(position for positions in seen for position in positions) == list(range(40))


def test_a_queue_survives_a_restart(database_url: str) -> None:
    with several_databases(database_url, 1) as (database,):
        job_of(database)
        first = reviews.hand_out(database, "ada", count=2)
        corrections.say(database, first[0].place, Word.digit(1), by="ada")
    with several_databases(database_url, 1) as (database,):
        assert positions(reviews.hand_out(database, "bob", count=1)) == [4]
        assert reviews.hand_out(database, "ada", count=1) == first[1:]


def test_an_image_that_is_scored_anew_leaves_the_queue_until_then(database: Database) -> None:
    job_of(database)
    reviews.hand_out(database, "ada", count=20)
    with database.begin() as connection:
        for table in ("predictions", "rejections"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    assert reviews.hand_out(database, "ada", count=20) == []
    assert reviews.left(database) == Left(0, 0)


def test_a_job_that_is_pruned_takes_its_leases_along(database: Database) -> None:
    old = job_of(database)
    create_job(database)
    reviews.hand_out(database, "ada", count=2)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET finished_at = '2001-01-01 00:00:00' WHERE finished_at IS NOT NULL")
    removed = pruning.prune_some(database, pruning.Rule(timedelta(days=1)), old)
    assert removed is not None
    assert removed.whole
    assert reviews.hand_out(database, "ada") == []


@pytest.mark.parametrize("sure", [0.991, 1.0])
def test_an_image_that_is_surely_a_digit_is_nobodys_business(database: Database, sure: float) -> None:
    job_of(database, [(sure, Verdict.DIGIT)])
    assert reviews.hand_out(database, "ada") == []
