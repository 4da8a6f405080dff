"""Each time of a schedule makes one run, of what is new in its folder."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from core import clock
from core.errors import QueueUnreachable, ScheduleError, SourceNotFound
from core.ledger import batches, jobs, schedules
from core.ledger.schedules import Plan
from core.sources import to_url
from core.vocabulary import Labels, Missed, QueueName, Trigger
from scheduler.producer import Line
from scheduler.schedules import ON_TIME, add, run_due, run_now
from tests.conftest import MakeSettings
from tests.scheduler.conftest import pictures
from tests.scheduler.scheduling import FAR, SELDOM, make_due, nightly, planned
from tests.scheduler.scored import paths_of, score_truly

MINUTE = 60.0


def test_what_is_due_is_run_once_and_due_again_when_its_expression_says(line: Line, scans: Path) -> None:
    planned(line, scans)
    run_due(line)
    assert jobs.newest(line.database, 10) == []
    make_due(line.database)
    for _ in range(3):
        run_due(line)
    (job,) = jobs.newest(line.database, 10)
    assert (job.name, job.schedule, job.triggered_by) == ("nightly", "nightly", Trigger.SCHEDULE)
    after = nightly(line)
    assert (after.found, after.submitted, after.job_id, after.error) == (3, 3, job.id, None)
    assert (after.next_at.month, after.next_at.day, after.next_at > clock.read(line.database)) == (2, 29, True)
    assert line.inspector.waiting() == {batch.id for batch in batches.of_job(line.database, job.id)}


def test_a_night_without_a_new_image_makes_no_job_and_says_so(line: Line, scans: Path) -> None:
    planned(line, scans)
    make_due(line.database)
    run_due(line)
    score_truly(line, jobs.newest(line.database, 1)[0])
    make_due(line.database)
    run_due(line)
    after = nightly(line)
    assert (after.found, after.submitted, after.job_id) == (3, 0, None)
    assert len(jobs.newest(line.database, 10)) == 1


def test_a_folder_that_is_empty_yet_is_no_error(line: Line, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    planned(line, tmp_path / "scans")
    make_due(line.database)
    run_due(line)
    assert (nightly(line).found, nightly(line).submitted, nightly(line).error) == (0, 0, None)


def test_a_folder_that_is_missing_is_recorded_and_tried_again_next_time(line: Line, scans: Path) -> None:
    planned(line, scans)
    planned(line, scans, "other")
    gone = scans.rename(scans.with_name("elsewhere"))
    shutil.copytree(gone, scans.with_name("scans2"))
    schedules.add(line.database, Plan("other", to_url(scans.with_name("scans2")), SELDOM), FAR, replace=True)
    make_due(line.database)
    run_due(line)
    failed = nightly(line)
    assert failed.error == f"There is no folder {scans}. Check the path."
    assert (failed.found, failed.job_id, failed.next_at > clock.read(line.database)) == (None, None, True)
    assert schedules.find(line.database, "other").submitted == 3
    gone.rename(scans)
    make_due(line.database, "nightly")
    run_due(line)
    assert (nightly(line).submitted, nightly(line).error) == (3, None)


def test_labels_that_are_wrong_are_recorded(line: Line, scans: Path) -> None:
    (scans / "labels.csv").write_text("1/a.png,11\n")
    planned(line, scans)
    make_due(line.database)
    run_due(line)
    assert "line 1: the label '11'" in str(nightly(line).error)


def test_new_images_have_their_labels_though_the_table_names_the_others_too(line: Line, scans: Path) -> None:
    planned(line, scans, labels=Labels.CSV)
    (scans / "labels.csv").write_text("1/a.png,1\n2/b.png,2\n")
    _, first = run_now(line, "nightly")
    assert first is not None
    score_truly(line, first)
    pictures(scans, "0/new.png", "4/d.png")
    (scans / "labels.csv").write_text("1/a.png,1\n2/b.png,2\n4/d.png,4\n")
    _, second = run_now(line, "nightly")
    assert second is not None
    assert paths_of(line, second) == ["0/new.png", "4/d.png"]
    (batch,) = batches.of_job(line.database, second.id)
    lease = batches.claim(line.database, batch.id, worker="test", lease_time=60, max_attempts=3)
    assert [lease.manifest.true_label(position) for position in (0, 1)] == [None, 4]  # type: ignore[union-attr]


def test_a_job_is_made_as_its_schedule_says(line: Line, scans: Path) -> None:
    planned(line, scans, queue=QueueName.BULK, split=True, max_rejected=0.25, priority=-4)
    _, job = run_now(line, "nightly")
    assert job is not None
    assert (job.queue, job.split, job.max_rejected, job.batches) == (QueueName.BULK, True, 0.25, 2)
    assert job.priority == -4


def test_few_images_go_to_express_and_many_to_bulk(line: Line, scans: Path) -> None:
    planned(line, scans)
    _, few = run_now(line, "nightly")
    pictures(scans, *(f"5/{number}.png" for number in range(5)))
    _, many = run_now(line, "nightly")
    assert [job and (job.accounts.found, job.queue) for job in (few, many)] == [
        (3, QueueName.EXPRESS),
        (5, QueueName.BULK),
    ]


def test_a_run_by_hand_leaves_the_next_time_as_it_was(line: Line, scans: Path) -> None:
    before = planned(line, scans)
    after, job = run_now(line, "nightly")
    assert (after.next_at, after.job_id) == (before.next_at, job and job.id)


def test_a_run_by_hand_of_a_missing_folder_fails_and_is_recorded(line: Line, tmp_path: Path) -> None:
    planned(line, tmp_path / "nowhere")
    with pytest.raises(SourceNotFound, match="There is no folder"):
        run_now(line, "nightly")
    assert "There is no folder" in str(nightly(line).error)


@pytest.mark.parametrize("hours", [1, 24 * 40])
def test_however_many_times_were_missed_one_run_makes_up_for_them(line: Line, scans: Path, hours: int) -> None:
    schedules.add(line.database, Plan("nightly", to_url(scans), "*/10 * * * *"), FAR)
    make_due(line.database, ago=hours * 60 * MINUTE)
    for _ in range(3):
        run_due(line)
    assert len(jobs.newest(line.database, 10)) == 1
    assert (nightly(line).submitted, nightly(line).missed_at) == (3, None)


def test_missed_times_are_skipped_where_that_is_asked_for(line: Line, scans: Path) -> None:
    planned(line, scans, missed=Missed.SKIP)
    make_due(line.database, ago=ON_TIME.total_seconds() + MINUTE)
    due_at = nightly(line).next_at
    run_due(line)
    after = nightly(line)
    assert (after.missed_at, after.ran_at, after.next_at > due_at) == (due_at, None, True)
    assert jobs.newest(line.database, 10) == []


def test_a_run_that_is_a_little_late_is_not_skipped(line: Line, scans: Path) -> None:
    planned(line, scans, missed=Missed.SKIP)
    make_due(line.database, ago=ON_TIME.total_seconds() - MINUTE)
    run_due(line)
    assert (nightly(line).submitted, nightly(line).missed_at) == (3, None)


def test_while_redis_is_away_what_is_due_stays_due(line: Line, scans: Path, settings: MakeSettings) -> None:
    planned(line, scans)
    make_due(line.database)
    before = nightly(line)
    cut_off = Line.open(settings(database_url=line.settings.database_url, broker_url=f"redis+socket://{scans}/none"))
    with pytest.raises(QueueUnreachable):
        run_due(cut_off)
    cut_off.close()
    assert nightly(line) == before
    run_due(line)
    assert nightly(line).submitted == 3


def test_a_zone_that_is_gone_keeps_no_other_schedule_waiting(line: Line, scans: Path) -> None:
    schedules.add(line.database, Plan("lost", to_url(scans), SELDOM, "Atlantis/Poseidonis"), FAR)
    planned(line, scans)
    make_due(line.database)
    run_due(line)
    assert (nightly(line).submitted, schedules.find(line.database, "lost").ran_at) == (3, None)


def test_what_a_schedule_is_added_with_is_checked(line: Line, scans: Path) -> None:
    def plan(**changed: str) -> Plan:
        return Plan(**{"name": "nightly", "source": to_url(scans), "cron": SELDOM, **changed})  # type: ignore[arg-type]

    nested = line.settings.home_folder / "inbox" / "mine"
    nested.mkdir(parents=True)
    for wrong, told in (
        ({"name": "two words"}, "'two words' is no name for a schedule"),
        ({"name": "-x"}, "'-x' is no name"),
        ({"name": "x" * 101}, "is no name"),
        ({"cron": "0 2 * *"}, "'0 2 \\* \\*' is not of five fields"),
        ({"timezone": "Mars/Olympus"}, "There is no time zone 'Mars/Olympus'"),
        ({"source": to_url(nested)}, "lie in one another"),
        ({"source": to_url(line.settings.home_folder)}, "lie in one another"),
    ):
        with pytest.raises(ScheduleError, match=told) as caught:
            add(line, plan(**wrong))
        assert caught.value.mend
    for place in (scans / "none", scans / "1" / "a.png"):
        with pytest.raises(SourceNotFound, match="There is no folder"):
            add(line, plan(source=to_url(place)))
    assert schedules.every(line.database) == []


def test_a_schedule_is_first_due_when_its_expression_comes_true(line: Line, scans: Path) -> None:
    made = add(line, Plan("nightly", to_url(scans), "30 4 * * *", "Asia/Kolkata"))
    assert (made.next_at.hour, made.next_at.minute) == (23, 0)
    assert timedelta() < made.next_at - clock.read(line.database) <= timedelta(days=1)
