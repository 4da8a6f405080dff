"""A drop that ended is filed away, and nothing of its sender's is touched."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from core.errors import LabelsError
from core.ledger import batches, jobs, steering
from core.sources import to_path
from core.vocabulary import Job, Outcome, Reason, Trigger, Verdict
from scheduler.filing import file_away, file_unsubmitted
from scheduler.producer import Line, submit
from scheduler.sweep import sweep
from tests.core.examples import prediction, rejection, take
from tests.scheduler.conftest import pictures, score


@pytest.fixture
def drop(line: Line) -> Path:
    """A claimed folder `scans` with one image, and the shelves it may be filed on."""
    for shelf in (line.settings.done_folder, line.settings.failed_folder):
        shelf.mkdir(parents=True)
    return pictures(line.settings.claimed_folder / "claim" / "scans", "a.png")


def submitted(line: Line, drop: Path) -> Job:
    return submit(line, drop, triggered_by=Trigger.INBOX, claim=drop.parent.name)


def scored(line: Line, drop: Path) -> Job:
    job = submitted(line, drop)
    score(line, job)
    return jobs.get(line.database, job.id)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_senders_own_files_of_those_names_are_never_overwritten(line: Line, drop: Path) -> None:
    pictures(drop, "predictions.csv", "summary.txt")
    place = file_away(line, scored(line, drop))
    originals = {"a.png", "predictions.csv", "summary.txt"}
    assert names(place) == originals | {"digitline-predictions.csv", "digitline-summary.txt"}
    assert {(place / name).read_bytes() for name in originals} == {b"picture"}


def test_the_table_beside_the_images_has_strings_and_verdicts(line: Line, drop: Path) -> None:
    pictures(drop, "b.png", "c.png")
    job = submitted(line, drop)
    first, second = batches.of_job(line.database, job.id)
    lease = take(line.database, first)
    blank = rejection(lease, 1, Reason.BLANK)
    batches.finish(line.database, lease, Outcome([prediction(lease, 0, "1947", Verdict.NOT_A_DIGIT)], [blank], []))
    lease = take(line.database, second)
    batches.finish(line.database, lease, Outcome([], [rejection(lease, 0, Reason.TRUNCATED)], []))
    place = file_away(line, jobs.get(line.database, job.id))
    with (place / "predictions.csv").open(newline="") as table:
        found = [(row["path"], row["label"], row["verdict"], row["reason"]) for row in csv.DictReader(table)]
    assert found == [
        ("a.png", "1947", "not_a_digit", ""),
        ("b.png", "", "blank", "blank"),
        ("c.png", "", "", "truncated"),
    ]


def test_a_link_of_the_senders_is_never_written_through(line: Line, drop: Path, tmp_path: Path) -> None:
    victim = tmp_path / "authorized_keys"
    victim.write_text("GOOD")
    for name in (".digitline-predictions", "digitline-summary.txt", "summary.txt", "predictions.csv"):
        (drop / name).symlink_to(victim)
    (drop / "digitline-predictions.csv").symlink_to(tmp_path / "dangling")
    place = file_away(line, scored(line, drop))
    assert victim.read_text() == "GOOD"
    assert not (tmp_path / "dangling").exists()
    assert "Digitline job" in (place / "digitline-summary-2.txt").read_text()
    assert (place / "digitline-predictions-2.csv").read_text().startswith("path,status")
    assert len(names(place)) == 8


def test_the_originals_of_a_cancelled_job_are_not_overwritten(line: Line, drop: Path) -> None:
    pictures(drop, "predictions.csv", "summary.txt", "digitline-summary.txt")
    (drop / "labels.csv").write_text("a.png,1\n")
    job = submitted(line, drop)
    place = file_away(line, steering.cancel(line.database, job))
    for name in ("a.png", "predictions.csv", "summary.txt", "digitline-summary.txt"):
        assert (place / name).read_bytes() == b"picture"
    assert (place / "labels.csv").read_text() == "a.png,1\n"
    assert "cancelled" in (place / "digitline-summary-2.txt").read_text()


@pytest.mark.parametrize("images", [("summary.txt/a.png", "predictions.csv/b.png"), ()])
def test_folders_of_those_names_stand_in_no_way(line: Line, drop: Path, images: tuple[str, ...]) -> None:
    pictures(drop, *images)
    for name in ("summary.txt", "predictions.csv"):
        (drop / name).mkdir(exist_ok=True)
    place = file_away(line, scored(line, drop))
    assert {"digitline-summary.txt", "digitline-predictions.csv"} < names(place)


def test_names_that_differ_in_case_alone_count_as_one(line: Line, drop: Path) -> None:
    pictures(drop, "Summary.TXT")
    assert "digitline-summary.txt" in names(file_away(line, scored(line, drop)))


def test_a_summary_that_a_sender_forged_is_kept_where_it_was_listed(line: Line, drop: Path) -> None:
    forged = "Digitline job 1: scans\n\nclaim        claim\n"
    (drop / "summary.txt").write_text(forged)
    place = file_away(line, scored(line, drop))
    assert (place / "summary.txt").read_text() == forged
    assert "digitline-summary.txt" in names(place)


def test_filing_anew_replaces_what_was_filed_before(line: Line, drop: Path) -> None:
    pictures(drop, "summary.txt")
    job = submitted(line, drop)
    place = file_away(line, steering.cancel(line.database, job))
    (place / f".digitline-{job.id}-0123456789abcdef").write_text("left by a crash")
    retried = steering.retry(line.database, jobs.get(line.database, job.id))
    score(line, retried)
    again = file_away(line, jobs.get(line.database, job.id))
    assert names(again) == {"a.png", "summary.txt", "digitline-summary.txt", "predictions.csv"}
    assert "state        done" in (again / "digitline-summary.txt").read_text()
    assert len((again / "predictions.csv").read_text().splitlines()) == 3
    assert not place.exists()


def test_a_drop_that_ends_the_same_way_twice_stays_at_its_place(line: Line, drop: Path) -> None:
    job = submitted(line, drop)
    place = file_away(line, steering.cancel(line.database, job))
    again = file_away(
        line, steering.cancel(line.database, steering.retry(line.database, jobs.get(line.database, job.id)))
    )
    assert again == place
    assert names(line.settings.failed_folder) == {place.name}


def test_a_disk_that_is_full_leaves_no_draft(line: Line, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = scored(line, drop)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("scheduler.filing.write_csv", full)
        with pytest.raises(OSError, match="No space left"):
            file_away(line, job)
    assert names(drop) == {"a.png"}


def test_what_is_filed_has_the_rights_of_any_new_file(line: Line, drop: Path) -> None:
    before = os.umask(0o027)
    try:
        place = file_away(line, scored(line, drop))
    finally:
        os.umask(before)
    assert (place / "summary.txt").stat().st_mode & 0o777 == 0o640


def test_while_the_claims_are_away_a_drop_is_not_marked_as_filed(line: Line, drop: Path) -> None:
    job = scored(line, drop)
    away = line.settings.claimed_folder.rename(line.settings.home_folder / "away")
    with pytest.raises(FileNotFoundError, match="claim/scans"):
        file_away(line, job)
    sweep(line)
    assert [job.id for job in jobs.unfiled(line.database)] == [job.id]
    away.rename(line.settings.claimed_folder)
    sweep(line)
    assert jobs.unfiled(line.database) == []


def test_a_drop_that_was_moved_before_a_crash_is_found_at_its_new_place(
    line: Line, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = scored(line, drop)

    def crash(point: str) -> None:
        if point == "filing.moved":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("scheduler.filing.crash_point", crash)
        with pytest.raises(KeyboardInterrupt):
            file_away(line, job)
    place = file_away(line, job)
    assert names(place) == {"a.png", "summary.txt", "predictions.csv"}
    assert to_path(jobs.get(line.database, job.id).source) == place
    assert names(line.settings.claimed_folder) == set()


def test_a_place_that_a_drop_of_an_older_ledger_has_is_left_to_it(
    line: Line, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = scored(line, drop)
    older = file_away(line, job)
    earlier_claim = (older / "summary.txt").read_text().replace("claim        claim", "claim        older")
    (older / "summary.txt").write_text(earlier_claim)
    shutil.copytree(older, drop, ignore=shutil.ignore_patterns("*.txt", "*.csv"))
    with line.database.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET filed_at = NULL, source = ?", (f"file://{drop}",))
    for name in ("described", "moved", ""):

        def crash(point: str, name: str = name) -> None:
            if point == f"filing.{name}":
                raise KeyboardInterrupt

        monkeypatch.setattr("scheduler.filing.crash_point", crash)
        try:
            place = file_away(line, jobs.get(line.database, job.id))
        except KeyboardInterrupt:
            assert name
    assert place.name == f"{older.name}-2"
    assert (older / "summary.txt").read_text() == earlier_claim
    assert names(place) == {"a.png", "summary.txt", "predictions.csv"}
    assert names(line.settings.done_folder) == {older.name, place.name}


def test_a_reason_is_never_written_through_a_link(line: Line, drop: Path, tmp_path: Path) -> None:
    (drop / "summary.txt").symlink_to(tmp_path / "dangling")
    place = file_unsubmitted(line.settings, drop, LabelsError())
    assert not (tmp_path / "dangling").exists()
    assert "scans was not scored" in (place / "digitline-summary.txt").read_text()
    assert names(line.settings.claimed_folder) == set()


def test_a_reason_is_filed_beside_a_drop_although_something_strays_beside_it(line: Line, drop: Path) -> None:
    pictures(drop.parent, ".DS_Store")
    for name in ("summary.txt", "digitline-summary.txt"):
        (drop / name).write_text("MINE")
    place = file_unsubmitted(line.settings, drop, LabelsError())
    assert names(place) == {"a.png", "summary.txt", "digitline-summary.txt", "digitline-summary-2.txt"}
    assert (place / "digitline-summary.txt").read_text() == "MINE"


def test_every_path_counts_as_the_senders_in_a_job_of_many_batches(line: Line, drop: Path) -> None:
    pictures(drop, *(f"{number}.png" for number in range(5)), "predictions.csv")
    job = scored(line, drop)
    assert len(batches.of_job(line.database, job.id)) > 1
    assert (file_away(line, job) / "predictions.csv").read_bytes() == b"picture"
