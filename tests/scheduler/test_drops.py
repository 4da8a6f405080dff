"""What lies below an inbox in object storage becomes jobs, each object with the same bytes once, and stays where it is."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Never

import pytest

from core.errors import StoreUnreachable
from core.ledger import batches, jobs, results, steering
from core.ledger.pruning import Kept, Rule, old_jobs
from core.objects import get_store
from core.vocabulary import Job, JobState, Trigger
from scheduler.drops import BucketInbox
from scheduler.inbox import Inbox
from scheduler.producer import Line
from scheduler.sweep import sweep
from tests.scheduler.conftest import pictures, score
from tests.servers import free_port
from tests.store import Bucket


class Watched:
    """A watched prefix of which every look is a minute after the last one."""

    def __init__(self, line: Line) -> None:
        self._now = 0.0
        self._inbox = BucketInbox(line, *line.settings.inbox_prefixes, clock=lambda: self._now)

    def look(self) -> list[Job]:
        self._now += 60.0
        return self._inbox.look()


@pytest.fixture
def bucket_line(line: Line, bucket: Bucket) -> Line:
    """A line with an inbox in the bucket."""
    watched = {"inbox_urls": bucket.url("team/inbox"), "settle_time": 1.0}
    return replace(line, settings=line.settings.model_copy(update=watched))


@pytest.fixture
def inbox(bucket_line: Line) -> Watched:
    return Watched(bucket_line)


def looked(inbox: Watched) -> list[Job]:
    """Two looks: the first one sees a drop, the second one that it stays as it is."""
    return inbox.look() + inbox.look()


def paths_of(line: Line, job: Job) -> list[str]:
    return list(batches.paths_of_job(line.database, job.id))


def test_a_prefix_becomes_a_job_of_its_name_and_stays_where_it_is(line: Line, inbox: Watched, bucket: Bucket) -> None:
    for key in ("scans/a.png", "scans/7/b.png", "scans/c.png", "scans/.hidden", "scans/"):
        bucket.put(f"team/inbox/{key}")
    before = bucket.keys()
    assert inbox.look() == []
    (job,) = inbox.look()
    assert (job.name, job.accounts.found, job.triggered_by) == ("scans", 3, Trigger.INBOX)
    assert job.source == f"s3://{bucket.name}/team/inbox/scans/"
    assert paths_of(line, job) == ["7/b.png", "a.png", "c.png"]
    assert looked(inbox) == []
    assert bucket.keys() == before


def test_loose_objects_become_one_job_and_do_not_take_the_prefixes_along(
    line: Line, inbox: Watched, bucket: Bucket
) -> None:
    for key in ("b.png", "a.png", "scans/c.png", ".hidden/d.png", "e.png.part"):
        bucket.put(f"team/inbox/{key}")
    loose, scans = looked(inbox)
    assert (loose.name, paths_of(line, loose)) == ("a.png and 1 more", ["a.png", "b.png"])
    assert (scans.name, paths_of(line, scans)) == ("scans", ["c.png"])


def test_a_drop_that_still_changes_is_not_claimed(inbox: Watched, bucket: Bucket) -> None:
    for number in range(4):
        bucket.put(f"team/inbox/scans/{number}.png")
        assert inbox.look() == []
    bucket.put("team/inbox/scans/3.png", b"the same name, other bytes")
    assert inbox.look() == []
    assert [job.accounts.found for job in inbox.look()] == [4]


def test_a_drop_is_claimed_at_once_where_its_sender_says_that_it_is_complete(inbox: Watched, bucket: Bucket) -> None:
    bucket.put("team/inbox/scans/a.png")
    bucket.put("team/inbox/scans/_READY", b"")
    assert [job.accounts.found for job in inbox.look()] == [1]
    bucket.put("team/inbox/scans/b.png")
    assert inbox.look() == []
    assert [job.accounts.found for job in inbox.look()] == [1]


def test_what_comes_later_or_has_other_bytes_becomes_another_job(
    line: Line, bucket_line: Line, inbox: Watched, bucket: Bucket
) -> None:
    for name in ("a", "b", "c"):
        bucket.put(f"team/inbox/scans/{name}.png")
    (first,) = looked(inbox)
    bucket.put("team/inbox/scans/a.png")  # the same bytes again
    bucket.put("team/inbox/scans/b.png", b"other bytes")
    bucket.put("team/inbox/scans/d.png")
    bucket.remove("team/inbox/scans/c.png")
    (second,) = looked(Watched(bucket_line))  # a scheduler that was started anew
    assert paths_of(line, first) == ["a.png", "b.png", "c.png"]
    assert paths_of(line, second) == ["b.png", "d.png"]
    assert looked(Watched(bucket_line)) == []


def test_a_job_that_was_cancelled_does_not_come_back_by_itself(
    line: Line, bucket_line: Line, inbox: Watched, bucket: Bucket
) -> None:
    bucket.put("team/inbox/scans/a.png")
    (job,) = looked(inbox)
    steering.cancel(line.database, job)
    assert looked(Watched(bucket_line)) == []


def test_labels_come_with_a_drop_and_with_what_comes_later(line: Line, inbox: Watched, bucket: Bucket) -> None:
    bucket.put("team/inbox/scans/a.png")
    bucket.put("team/inbox/scans/labels.csv", b"a.png,3\n")
    (first,) = looked(inbox)
    bucket.put("team/inbox/scans/b.png")
    bucket.put("team/inbox/scans/labels.csv", b"a.png,3\nb.png,4\n")
    (second,) = looked(inbox)
    for job in (first, second):
        score(line, job)
    assert [
        [(result.path, result.true_label) for result in results.of_job(line.database, job.id)]
        for job in (first, second)
    ] == [[("a.png", 3)], [("b.png", 4)]]


def test_a_drop_with_wrong_labels_is_said_to_be_so_and_waits_for_a_correction(
    inbox: Watched, bucket: Bucket, bucket_line: Line
) -> None:
    bucket.put("team/inbox/scans/a.png")
    bucket.put("team/inbox/scans/labels.csv", b"a.png,ten\n")
    for _ in range(3):
        assert inbox.look() == []
    assert looked(Watched(bucket_line)) == []
    (summary,) = bucket.keys("team/failed/")
    assert summary.startswith("team/failed/scans-")
    assert b"the label 'ten' of 'a.png' is no digit" in bucket.get(summary)
    bucket.put("team/inbox/scans/labels.csv", b"a.png,1\n")
    assert [job.accounts.found for job in looked(inbox)] == [1]


def test_of_two_schedulers_one_makes_the_job(bucket_line: Line, bucket: Bucket) -> None:
    for number in range(6):
        bucket.put(f"team/inbox/scans-{number % 3}/{number}.png")
    start = threading.Barrier(4)

    def scheduler() -> None:
        line = Line.open(bucket_line.settings)
        try:
            inbox = Watched(line)
            start.wait()
            for _ in range(4):
                inbox.look()
        finally:
            line.close()

    threads = [threading.Thread(target=scheduler) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = jobs.newest(bucket_line.database, 50)
    assert sorted((job.name, *paths_of(bucket_line, job)) for job in made) == [
        (f"scans-{number}", f"{number}.png", f"{number + 3}.png") for number in range(3)
    ]


def test_results_are_put_beside_the_inbox(line: Line, inbox: Watched, bucket: Bucket) -> None:
    for name in ("a.png", "empty.png"):
        bucket.put(f"team/inbox/scans/{name}")
    (job,) = looked(inbox)
    score(line, job, reject=frozenset({"empty.png"}))
    sweep(line)
    table, summary = sorted(bucket.keys("team/done/"))
    assert table.endswith(f"-scans-{job.id}/predictions.csv")
    assert bucket.get(table).splitlines()[1:] == [
        b"a.png,scored,1,0.9,digit,,,",
        b"empty.png,rejected,,,,,empty,The file is empty.",
    ]
    assert "found        2\nscored       1\nrejected     1" in bucket.get(summary).decode()
    assert jobs.get(line.database, job.id).source == job.source
    assert jobs.unfiled(line.database) == []
    assert len(bucket.keys("team/inbox/")) == 2


def test_a_job_that_failed_is_filed_as_failed(line: Line, inbox: Watched, bucket: Bucket) -> None:
    bucket.put("team/inbox/scans/a.png")
    (job,) = looked(inbox)
    score(line, job, reject=frozenset({"a.png"}))
    sweep(line)
    assert jobs.get(line.database, job.id).state is JobState.FAILED
    assert len(bucket.keys("team/failed/")) == 2
    assert bucket.keys("team/done/") == []


@pytest.mark.parametrize("point", ["shelf.described", "shelf.filed"])
def test_filing_that_was_interrupted_is_done_again(
    line: Line, inbox: Watched, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    bucket.put("team/inbox/scans/a.png")
    (job,) = looked(inbox)
    score(line, job)

    def crash(at: str) -> None:
        if at == point:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("scheduler.shelf.crash_point", crash)
        with pytest.raises(KeyboardInterrupt):
            sweep(line)
    sweep(line)
    assert len(bucket.keys("team/done/")) == 2
    assert jobs.unfiled(line.database) == []


def test_what_another_line_filed_under_this_name_is_left_alone(line: Line, inbox: Watched, bucket: Bucket) -> None:
    bucket.put("team/inbox/scans/a.png")
    (job,) = looked(inbox)
    score(line, job)
    theirs = f"team/done/{job.created_at.astimezone():%Y-%m-%d}-scans-{job.id}/summary.txt"
    bucket.put(theirs, f"Digitline job {job.id}: scans\n\nclaim        s3://other/inbox/#scans#1\n".encode())
    sweep(line)
    assert b"s3://other/" in bucket.get(theirs)
    assert theirs.replace("/summary.txt", "-2/summary.txt") in bucket.keys("team/done/")


def test_a_store_that_is_away_keeps_neither_the_inbox_of_folders_nor_a_job_that_ended(
    bucket_line: Line, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("team/inbox/scans/a.png")
    at_once = bucket_line.settings.model_copy(update={"settle_time": 0.0, "inbox_urls_interval": 1e-9})
    inbox = Inbox(replace(bucket_line, settings=at_once))
    (of_bucket,) = inbox.look()
    score(bucket_line, of_bucket)
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
        get_store.cache_clear()
        pictures(bucket_line.settings.inbox_folder / "folder", "a.png")
        with pytest.raises(StoreUnreachable):
            inbox.look()
        sweep(bucket_line)
    assert [job.name for job in jobs.newest(bucket_line.database, 5)] == ["folder", "scans"]
    get_store.cache_clear()
    sweep(bucket_line)
    assert len(bucket.keys("team/done/")) == 2


def test_a_store_that_is_away_is_not_asked_at_every_turn(
    line: Line, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = BucketInbox(line, bucket.prefix("team/inbox/"))
    assert line.settings.inbox_urls_interval == 30

    def away(*_: object, **__: object) -> Never:
        raise StoreUnreachable

    monkeypatch.setattr(get_store(), "entries", away)
    with pytest.raises(StoreUnreachable):
        inbox.look()
    assert inbox.look() == []


def test_a_job_by_which_the_inbox_knows_what_it_has_scored_is_not_pruned(
    line: Line, inbox: Watched, bucket: Bucket
) -> None:
    for name in ("scans", "later"):
        bucket.put(f"team/inbox/{name}/a.png")
        (job,) = looked(inbox)
        score(line, job)
        sweep(line)
    kept = {old.kept for old in old_jobs(line.database, Rule(timedelta(seconds=-10)))}
    assert kept == {Kept.SCHEDULED}
    freed = old_jobs(line.database, Rule(timedelta(seconds=-10), with_scheduled=True))
    assert [old.kept for old in freed] == [None, Kept.NEWEST]
