"""Images are found by what was found out about them, page by page, by indexes, and none is left out or shown twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from core import tables
from core.database import Database
from core.errors import ImageNotFound
from core.ledger import arrivals, batches, corrections, gallery, job_counts, jobs, results, timings
from core.ledger.gallery import Leaf, Place, Placed
from core.ledger.results import Result
from core.ledger.wanted import Agreement, ReadAs, Wanted
from core.vocabulary import BatchState, Job, JobState, Outcome, Reason, Trigger, Verdict
from tests.core.examples import create_job, new_job, prediction, rejection, score, take
from tests.core.test_plans import line, whole  # noqa: F401  # the fixture

#: What the images of the example's batches are read as; the image at position p shows p.
READ = [[0, 1, 2, 3], [0, 1, None, "37"], [None, 1, 7, 3], [0, 4, 2, 3]]


@pytest.fixture
def job(database: Database) -> Job:
    """A job in which some images are read wrong, as strings, or not at all; and a younger one of two images."""
    job = create_job(database, [4, 4, 4, 4], labelled=True)
    score(database, job, READ)
    score(database, jobs.create(database, new_job([2], name="younger")))
    return job


def pages(database: Database, wanted: Wanted, size: int) -> Iterator[Leaf]:
    """Every page, one after the other."""
    leaf = gallery.leaf(database, wanted, size=size)
    yield leaf
    while leaf.after is not None:
        leaf = gallery.leaf(database, wanted, after=leaf.after, size=size)
        yield leaf


def images(database: Database, wanted: Wanted, size: int = 3) -> list[Placed]:
    return [image for leaf in pages(database, wanted, size) for image in leaf.images]


def pages_back(database: Database, wanted: Wanted, leaf: Leaf, size: int) -> Iterator[Leaf]:
    """Every page before one, the nearest first."""
    while leaf.before is not None:
        leaf = gallery.leaf(database, wanted, before=leaf.before, size=size)
        if leaf.images:
            yield leaf


WANTED: dict[str, tuple[Wanted, Callable[[Result], bool]]] = {
    "everything": (Wanted(), lambda _: True),
    "a label": (Wanted(label=3), lambda result: result.label == 3),
    "strings": (Wanted(label=ReadAs.STRING), lambda result: isinstance(result.label, str)),
    "nothing": (Wanted(label=ReadAs.NOTHING), lambda result: result.label is None),
    "no digit": (Wanted(label=ReadAs.NO_DIGIT), lambda result: not isinstance(result.label, int)),
    "a true label": (Wanted(true_label=2), lambda result: result.true_label == 2),
    "a cell": (Wanted(true_label=2, label=7), lambda result: (result.true_label, result.label) == (2, 7)),
    "a cell of the last column": (
        Wanted(true_label=3, label=ReadAs.NO_DIGIT),
        lambda result: result.true_label == 3 and not isinstance(result.label, int),
    ),
    "a verdict": (Wanted(verdict=Verdict.UNCERTAIN), lambda result: result.verdict is Verdict.UNCERTAIN),
    "a verdict that nothing has": (Wanted(verdict=Verdict.BLANK), lambda _: False),
    "a reason": (Wanted(reason=Reason.TRUNCATED), lambda result: result.reason is Reason.TRUNCATED),
    "right": (Wanted(agreement=Agreement.RIGHT), lambda result: result.label == result.true_label is not None),
    "wrong": (
        Wanted(agreement=Agreement.WRONG),
        lambda result: isinstance(result.label, int) and result.label != result.true_label is not None,
    ),
    "unknown": (
        Wanted(agreement=Agreement.UNKNOWN),
        lambda result: not isinstance(result.label, int) or result.true_label is None,
    ),
    "confidence": (Wanted(least=0.7, most=0.75), lambda result: result.confidence is not None),
    "another confidence": (Wanted(least=0.76), lambda _: False),
}


@pytest.mark.parametrize("name", WANTED)
def test_a_filter_shows_what_it_says_and_nothing_else(database: Database, job: Job, name: str) -> None:
    wanted, holds = WANTED[name]
    of_job = Wanted(**{**{field: getattr(wanted, field) for field in wanted.__slots__}, "job": job.id})
    expected = [result.path for result in results.of_job(database, job.id) if holds(result)]
    for size in (1, 3, 60):
        assert [image.result.path for image in images(database, of_job, size)] == expected


def test_a_page_is_full_until_the_last_one(database: Database, job: Job) -> None:
    sizes = [(len(leaf.images), leaf.full) for leaf in pages(database, Wanted(job=job.id), 6)]
    assert sizes == [(6, True), (6, True), (4, False)]


def test_of_all_jobs_the_newest_batch_comes_first(database: Database, job: Job) -> None:
    shown = images(database, Wanted(), 5)
    assert [image.job_name for image in shown] == ["younger"] * 2 + ["scans"] * 16
    assert shown[2].place == Place(batches.of_job(database, job.id)[-1].id, 0)
    assert len({image.place for image in shown}) == 18


@pytest.mark.parametrize("name", WANTED)
def test_the_way_back_leads_over_the_same_pages(database: Database, job: Job, name: str) -> None:
    wanted, _ = WANTED[name]
    for chosen in (wanted, replace(wanted, job=job.id)):
        for size in (1, 3, 5):
            there = [[image.place for image in leaf.images] for leaf in pages(database, chosen, size)]
            *_, last = pages(database, chosen, size)
            assert [[image.place for image in leaf.images] for leaf in pages_back(database, chosen, last, size)] == [
                places for places in there[-2::-1] if places
            ]


def test_between_two_pages_lies_nothing_whichever_way_one_comes(database: Database, job: Job) -> None:
    first = gallery.leaf(database, Wanted(job=job.id), size=5)
    assert first.before is None
    second = gallery.leaf(database, Wanted(job=job.id), after=first.after, size=5)
    back = gallery.leaf(database, Wanted(job=job.id), before=second.before, size=5)
    assert (back.images, back.before, back.full) == (first.images, None, False)
    assert gallery.leaf(database, Wanted(job=job.id), after=back.after, size=5).images == second.images


def test_a_search_is_broken_off_where_it_has_read_enough_and_goes_on_from_there(
    database: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "BUDGET", 3)
    # Each of the batches may hold it, by its counts, and one alone does.
    wanted = Wanted(job=job.id, label=3, agreement=Agreement.WRONG)
    leaves = list(pages(database, wanted, 5))
    assert [len(leaf.images) for leaf in leaves] == [0] * len(leaves)
    assert len(leaves) > 1
    assert [image.result.path for image in images(database, Wanted(job=job.id, label=3))] == [
        *("1/3.png", "3/3.png", "4/3.png")
    ]


def test_a_window_ends_and_the_next_one_goes_on(database: Database, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = images(database, Wanted(job=job.id), 60)
    monkeypatch.setattr(gallery, "WINDOW", 1)
    assert images(database, Wanted(job=job.id), 60) == everything
    assert images(database, Wanted(), 60)[2:] != []
    *_, last = pages(database, Wanted(job=job.id), 60)
    back = [leaf.images for leaf in pages_back(database, Wanted(job=job.id), last, 60)]
    assert [image for images in reversed(back) for image in images] == everything[:-4]


def test_batches_of_before_there_were_counts_are_read(database: Database, job: Job) -> None:
    nothing = dict.fromkeys(("labels", "verdicts", "reasons", "confidences"))
    with database.begin() as connection:
        connection.execute(update(tables.batches).values(nothing))
    assert [image.result.path for image in images(database, Wanted(job=job.id, label=7))] == ["3/2.png"]
    assert len(images(database, Wanted(job=job.id, verdict=Verdict.UNCERTAIN, least=0.7))) == 14


def test_a_batch_that_is_open_shows_nothing(database: Database) -> None:
    create_job(database, [2])
    assert gallery.leaf(database, Wanted()) == Leaf([], None, None, full=False)


def test_an_image_is_found_by_its_place(database: Database, job: Job) -> None:
    second = batches.of_job(database, job.id)[1]
    read, rejected = (gallery.image(database, Place(second.id, position)) for position in (3, 2))
    assert (read.result.label, read.job_id, read.source) == ("37", job.id, "file:///scans")
    assert (rejected.result.reason, rejected.result.path) == (Reason.TRUNCATED, "2/2.png")
    with pytest.raises(ImageNotFound, match="position 4"):
        gallery.image(database, Place(second.id, 4))


def test_an_image_says_whether_its_drop_is_still_to_be_filed(database: Database) -> None:
    job = create_job(database, [1], claim="1")
    place = Place(batches.of_job(database, job.id)[0].id, 0)
    score(database, job)
    assert gallery.image(database, place).unfiled
    jobs.mark_filed(database, jobs.get(database, job.id), "file:///done/scans")
    filed = gallery.image(database, place)
    assert (filed.unfiled, filed.source) == (False, "file:///done/scans")


def test_pages_are_found_by_indexes(line: tuple[Database, Job]) -> None:  # noqa: F811
    database, job = line
    score(database, job)
    place = gallery.leaf(database, Wanted(job=job.id)).images[-1].place
    rare = Wanted(job=job.id, true_label=1, label=7, verdict=Verdict.DIGIT, agreement=Agreement.WRONG, least=0.5)
    for ask in (
        lambda: gallery.leaf(database, Wanted(job=job.id)),
        lambda: gallery.leaf(database, Wanted(job=job.id), after=place),
        lambda: gallery.leaf(database, Wanted(job=job.id), before=place),
        lambda: gallery.leaf(database, rare),
        lambda: gallery.leaf(database, Wanted(job=job.id, reason=Reason.SEVERAL)),
        lambda: gallery.image(database, place),
        lambda: timings.of_job(database, job.id, after=1, limit=2),
    ):
        assert whole(database, ask) == set()


def test_the_batches_of_a_job_say_what_they_came_to(database: Database) -> None:
    job = create_job(database, [3, 2, 2])
    first, second, _ = batches.of_job(database, job.id)
    lease = take(database, first)
    scored = [prediction(lease, position, 5) for position in (0, 1)]
    batches.finish(database, lease, Outcome(scored, [rejection(lease, 2)], [], {"read": 0.25}))
    take(database, second, worker="w2")
    done, leased, queued = timings.of_job(database, job.id)
    assert (done.state, done.scored, done.rejected, done.timings["read"]) == (BatchState.DONE, 2, 1, 0.25)
    assert done.seconds is not None
    assert (leased.state, leased.worker, leased.seconds) == (BatchState.LEASED, "w2", None)
    assert (queued.state, queued.sequence, queued.timings) == (BatchState.QUEUED, 3, {})
    assert [batch.sequence for batch in timings.of_job(database, job.id, after=1, limit=1)] == [2]


def test_counts_of_a_job_are_added_up(database: Database, job: Job) -> None:
    found = job_counts.of_job(database, job.id)
    labels = {"0": 3, "1": 3, "2": 2, "3": 3, "4": 1, "7": 1, "string": 1}
    assert found.labels == {**dict.fromkeys("5689", 0), **labels}
    assert {bound: count for bound, count in found.confidences.items() if count} == {0.8: 14}
    assert found.verdicts == results.verdict_counts(database, job.id)
    assert found.reasons == {Reason.TRUNCATED: 2}
    assert found.stages == results.stage_seconds(database, job.id)


def test_a_drop_is_found_as_a_job_once_it_is_one(database: Database) -> None:
    older = create_job(database, name="scans", claim="1")
    before = arrivals.newest_job(database)
    assert before == older.id
    assert arrivals.job_named(database, "scans", after=before) is None
    jobs.create(database, new_job(name="scans"))
    assert arrivals.job_named(database, "scans", after=before) is None
    mine = jobs.create(database, replace(new_job(name="scans", claim="2"), triggered_by=Trigger.INBOX))
    assert arrivals.job_named(database, "scans", after=before) == mine.id
    assert jobs.get(database, mine.id).state is JobState.QUEUED


def test_what_people_said_goes_over_the_label_that_came(database: Database, job: Job) -> None:
    corrections.record(database, job.id, "3/2.png", 7, by="ada")
    corrections.record(database, job.id, "1/3.png", 5, by="ada")
    corrections.record(database, job.id, "2/2.png", 4, by="ada")
    for wanted, paths in (
        (Wanted(job=job.id, true_label=7, label=7), ["3/2.png"]),
        (Wanted(job=job.id, true_label=2, label=7), []),
        (Wanted(job=job.id, true_label=5, label=3, agreement=Agreement.WRONG), ["1/3.png"]),
        (Wanted(job=job.id, true_label=4, label=ReadAs.NO_DIGIT), ["2/2.png"]),
        (Wanted(job=job.id, agreement=Agreement.WRONG), ["1/3.png", "4/1.png"]),
    ):
        assert [image.result.path for image in images(database, wanted)] == paths, wanted
    for cell in results.job_confusion(database, job.id):
        shown = images(
            database,
            Wanted(
                job=job.id, true_label=cell.actual, label=ReadAs.NO_DIGIT if cell.predicted is None else cell.predicted
            ),
        )
        assert len(shown) == cell.count, cell
