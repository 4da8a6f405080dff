"""What lies still in the inbox is claimed and becomes one job."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import LedgerUnreachable, QueueUnreachable, SettingsError
from core.ledger import jobs, results
from core.sources import to_path
from core.vocabulary import Job, JobState, QueueName, Trigger
from scheduler.inbox import Inbox
from scheduler.producer import Line
from scheduler.sweep import sweep
from tests.conftest import MakeSettings
from tests.scheduler.conftest import as_nobody, pictures, score


@pytest.fixture
def inbox(line: Line) -> Inbox:
    return Inbox(line)


def looked(inbox: Inbox) -> list[Job]:
    """Two looks: the first one sees a drop, the second one that it lies still."""
    return inbox.look() + inbox.look()


def test_a_folder_becomes_a_job_of_its_name(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder / "scans", "a.png", "b/c.png", "b/d.png")
    (job,) = looked(inbox)
    assert (job.name, job.accounts.found, job.batches, job.triggered_by) == ("scans", 3, 2, Trigger.INBOX)
    assert to_path(job.source).parent.parent == line.settings.claimed_folder
    assert list(line.settings.inbox_folder.iterdir()) == []
    assert looked(inbox) == []


def test_a_single_image_becomes_a_job_of_its_name(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder, "7.png")
    (job,) = looked(inbox)
    assert (job.name, job.accounts.found, job.queue) == ("7.png", 1, QueueName.EXPRESS)


def test_loose_images_that_arrive_together_become_one_job(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder, "b.png", "a.png", "c.txt")
    (job,) = looked(inbox)
    assert (job.name, job.accounts.found) == ("a.png and 2 more", 3)


def test_loose_images_bring_their_labels_along(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder, "a.png", "b.png")
    (line.settings.inbox_folder / "labels.csv").write_text("a.png,3\n")
    (job,) = looked(inbox)
    score(line, job)
    assert {result.path: result.true_label for result in results.of_job(line.database, job.id)} == {
        "a.png": 3,
        "b.png": None,
    }


@pytest.mark.parametrize("split", [False, True])
def test_the_settings_say_whether_the_pictures_of_a_drop_are_split(line: Line, *, split: bool) -> None:
    inbox = Inbox(replace(line, settings=line.settings.model_copy(update={"split": split})))
    pictures(line.settings.inbox_folder, "1947.png")
    (job,) = looked(inbox)
    assert job.split is split


def test_a_large_folder_waits_in_the_bulk_queue(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder / "many", *(f"{number}.png" for number in range(5)))
    (job,) = looked(inbox)
    assert job.queue is QueueName.BULK
    assert line.inspector.depths() == {QueueName.EXPRESS: 0, QueueName.BULK: 3}


def test_an_upload_is_left_alone_while_somebody_writes_and_while_it_has_its_temporary_name(
    line: Line, inbox: Inbox
) -> None:
    upload = line.settings.inbox_folder / "a.png.part"
    upload.write_bytes(b"half")
    assert looked(inbox) == []
    with (line.settings.inbox_folder / "a.png").open("wb") as file:
        upload.unlink()
        file.write(b"half")
        file.flush()
        assert looked(inbox) == []
        file.write(b"whole")
    (job,) = looked(inbox)
    assert job.name == "a.png"


def test_empty_folders_and_system_files_stay_where_they_are(line: Line, inbox: Inbox) -> None:
    (line.settings.inbox_folder / "empty" / "deeper").mkdir(parents=True)
    pictures(line.settings.inbox_folder, ".DS_Store", "Thumbs.db")
    assert looked(inbox) == []
    assert {path.name for path in line.settings.inbox_folder.iterdir()} == {"empty", ".DS_Store", "Thumbs.db"}


def test_a_link_is_moved_and_never_followed(line: Line, inbox: Inbox, tmp_path: Path) -> None:
    secret = pictures(tmp_path / "secret", "key.png")
    (line.settings.inbox_folder / "link").symlink_to(secret)
    (job,) = looked(inbox)
    assert job.accounts.found == 1
    assert [path.name for path in secret.iterdir()] == ["key.png"]


def test_a_claim_without_a_job_is_handed_over_at_the_next_look(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.claimed_folder / "20260101-000000-abcdef" / "scans", "a.png")
    (job,) = inbox.look()
    assert (job.name, job.claim) == ("scans", "20260101-000000-abcdef")
    assert inbox.look() == []


def test_a_claim_that_was_left_unfinished_is_handed_over_later(line: Line, inbox: Inbox) -> None:
    unfinished = pictures(line.settings.claimed_folder / ".20260101-000000-abcdef" / "loose files", "a.png").parent
    assert inbox.look() == []
    long_ago = time.time() - 3600
    os.utime(unfinished, (long_ago, long_ago))
    (job,) = inbox.look()
    assert job.name == "a.png"


def test_while_redis_is_away_a_drop_stays_claimed_and_goes_on_afterwards(
    settings: MakeSettings, line: Line, tmp_path: Path
) -> None:
    gone = Line.open(settings(database_url=line.settings.database_url, broker_url=f"redis+socket://{tmp_path}/none"))
    inbox = Inbox(gone)
    pictures(gone.settings.claimed_folder / "claim" / "scans", "a.png")
    with pytest.raises(QueueUnreachable):
        inbox.look()
    assert jobs.newest(line.database, 10) == []
    assert len(Inbox(line).look()) == 1
    gone.close()


def test_while_the_database_is_away_nothing_is_lost(settings: MakeSettings, line: Line, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no/such/folder.sqlite"
    gone = Line.open(settings(database_url=url, broker_url=line.settings.broker_url, settle_time=0.0))
    inbox = Inbox(gone)
    pictures(gone.settings.inbox_folder / "scans", "a.png")
    with pytest.raises(LedgerUnreachable):
        looked(inbox)
    (job,) = Inbox(line).look()
    assert job.name == "scans"
    gone.close()


def test_a_drop_that_cannot_become_a_job_is_filed_as_failed_beside_the_reason(line: Line, inbox: Inbox) -> None:
    folder = pictures(line.settings.inbox_folder / "scans", "a.png", "summary.txt")
    (folder / "labels.csv").write_text("b.png,3\n")
    assert looked(inbox) == []
    (place,) = line.settings.failed_folder.iterdir()
    assert "line 1: there is no file 'b.png'" in (place / "digitline-summary.txt").read_text()
    assert (place / "summary.txt").read_bytes() == b"picture"
    assert list(line.settings.claimed_folder.iterdir()) == []
    assert jobs.newest(line.database, 10) == []


def test_a_scored_drop_is_filed_beside_its_summary_and_table(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder / "scans", "1/a.png", "1/b.png", "2/c.png")
    (job,) = looked(inbox)
    score(line, job, reject=frozenset({"1/b.png"}))
    sweep(line)
    (place,) = line.settings.done_folder.iterdir()
    assert place.name == f"{job.created_at.astimezone():%Y-%m-%d}-scans-{job.id}"
    summary = (place / "summary.txt").read_text()
    assert "found        3" in summary
    assert "accuracy     0.5000 (1 of 2 labelled images)" in summary
    assert "1/b.png: The file is empty." in summary
    assert (place / "predictions.csv").read_text().splitlines() == [
        "path,status,label,confidence,verdict,true_label,reason,message",
        "1/a.png,scored,1,0.9,digit,1,,",
        "1/b.png,rejected,,,,1,empty,The file is empty.",
        "2/c.png,scored,1,0.9,digit,2,,",
    ]
    assert to_path(jobs.get(line.database, job.id).source) == place
    assert list(line.settings.claimed_folder.iterdir()) == []


def test_a_drop_of_which_nothing_was_scored_is_filed_as_failed(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.inbox_folder / "notes", "a.txt")
    (job,) = looked(inbox)
    score(line, job, reject=frozenset({"a.txt"}))
    sweep(line)
    assert jobs.get(line.database, job.id).state is JobState.FAILED
    (place,) = line.settings.failed_folder.iterdir()
    assert "not one of its images could be scored" in (place / "summary.txt").read_text()


def test_an_inbox_on_another_file_system_is_refused(settings: MakeSettings, line: Line) -> None:
    chosen = settings(database_url=line.settings.database_url, inbox=Path("/dev/shm/digitline-test/inbox"))
    chosen.inbox_folder.parent.mkdir(parents=True, exist_ok=True)
    done = chosen.done_folder
    done.symlink_to(line.settings.home_folder, target_is_directory=True) if not done.exists() else None
    line.settings.home_folder.mkdir(parents=True, exist_ok=True)
    try:
        with pytest.raises(SettingsError, match="different file systems"):
            Inbox(Line.open(chosen))
    finally:
        done.unlink()
        for folder in (chosen.inbox_folder, chosen.claimed_folder, chosen.failed_folder, chosen.inbox_folder.parent):
            if folder.exists():
                folder.rmdir()


@pytest.mark.parametrize("when", ["claimed", "filed"])
def test_a_drop_that_cannot_be_moved_keeps_no_other_waiting(
    line: Line, inbox: Inbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    rename, stuck = Path.rename, line.settings.inbox_folder / "stuck"

    def refused(path: Path, to: Path) -> Path:
        # As the kernel refuses it to a user who does not own the folder; root, who runs tests, owns them all.
        if path.name == "stuck" and (path == stuck) == (when == "claimed"):
            raise PermissionError(13, "Permission denied", str(path))
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refused)
    for name in ("stuck", "works"):
        pictures(line.settings.inbox_folder / name, "a.png")
    for job in looked(inbox) + looked(inbox):
        score(line, job)
    sweep(line)
    sweep(line)
    (filed,) = line.settings.done_folder.iterdir()
    assert "-works-" in filed.name
    assert "stuck" in caplog.text
    assert "Permission denied" in caplog.text
    monkeypatch.undo()
    for job in looked(inbox):
        score(line, job)
    sweep(line)
    assert len(list(line.settings.done_folder.iterdir())) == 2


def test_a_folder_that_may_not_be_entered_keeps_no_other_waiting(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        with as_nobody():
            inbox = Inbox(Line.open(settings(home=Path(folder, "home"), settle_time=0.0)))
            drops = Path(folder, "home", "inbox")
            pictures(drops / "works", "a.png")
            for name, rights in (("closed", 0), ("listed", 0o444)):
                pictures(drops / name, "a.png").chmod(rights)
            for _ in range(3):
                inbox._claim_settled()
            assert {path.name for path in drops.iterdir()} == {"closed", "listed"}
            for name in ("closed", "listed"):
                assert sum(f"/{name} cannot be read" in record.message for record in caplog.records) == 1
                (drops / name).chmod(0o755)
            inbox._claim_settled()
            inbox._claim_settled()
            assert list(drops.iterdir()) == []


@pytest.mark.parametrize("stray", [".DS_Store", "1.png", ".hidden/a.png", "folder/.DS_Store", "folder/1.png"])
def test_what_strays_into_the_claims_is_left_alone_and_blocks_nothing(
    line: Line, inbox: Inbox, caplog: pytest.LogCaptureFixture, stray: str
) -> None:
    pictures(line.settings.claimed_folder, stray)
    top = line.settings.claimed_folder / stray.split("/", maxsplit=1)[0]
    os.utime(top, (0, 0))
    pictures(line.settings.inbox_folder / "scans", "a.png")
    (job,) = looked(inbox)
    assert job.name == "scans"
    looked(inbox)
    assert (line.settings.claimed_folder / stray).exists()
    assert sum(top.name in record.message for record in caplog.records) <= 1


def test_a_system_file_beside_a_claimed_drop_is_not_taken_for_it(line: Line, inbox: Inbox) -> None:
    pictures(line.settings.claimed_folder / "claim", "scans/a.png", ".DS_Store")
    (job,) = inbox.look()
    assert job.name == "scans"


def test_a_claim_that_cannot_be_handed_over_keeps_no_other_waiting(
    line: Line, inbox: Inbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scheduler.filing.file_unsubmitted", full)
    pictures(line.settings.claimed_folder / "1", "scans/labels.csv")
    pictures(line.settings.claimed_folder / "2", "scans/a.png")
    (job,) = inbox.look()
    assert job.claim == "2"
    assert inbox.look() == []
    assert caplog.text.count("No space left on device") == 1
