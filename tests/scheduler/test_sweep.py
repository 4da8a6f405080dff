"""The sweep puts the ledger in order, whatever was lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import QueueUnreachable
from core.ledger import batches, jobs, results, steering
from core.queues import send_batches
from core.vocabulary import JobState, Lease, Trigger
from scheduler.producer import Line, submit
from scheduler.sweep import sweep
from tests.conftest import MakeSettings
from tests.scheduler.conftest import outcome, pictures, score
from tests.waiting import wait_until


def lease_of(line: Line, batch_id: int, lease_time: float) -> Lease:
    lease = batches.claim(line.database, batch_id, worker="test", lease_time=lease_time, max_attempts=3)
    assert isinstance(lease, Lease)
    return lease


def test_what_redis_holds_is_not_sent_again(line: Line, tmp_path: Path) -> None:
    submit(line, pictures(tmp_path / "scans", "a.png", "b.png", "c.png"), triggered_by=Trigger.CLI)
    sweep(line)
    assert sum(line.inspector.depths().values()) == 2


def test_what_redis_lost_is_sent_again_once(line: Line, tmp_path: Path) -> None:
    job = submit(line, pictures(tmp_path / "scans", "a.png", "b.png", "c.png"), triggered_by=Trigger.CLI)
    line.app.control.purge()
    assert line.inspector.waiting() == set()
    sweep(line)
    sweep(line)
    assert line.inspector.waiting() == {batch.id for batch in batches.of_job(line.database, job.id)}
    assert sum(line.inspector.depths().values()) == 2


def test_a_batch_whose_worker_vanished_is_sent_again(line: Line, tmp_path: Path) -> None:
    job = submit(line, pictures(tmp_path / "scans", "a.png"), triggered_by=Trigger.CLI)
    line.app.control.purge()
    (batch,) = batches.of_job(line.database, job.id)
    stale = lease_of(line, batch.id, -1.0)
    sweep(line)
    assert line.inspector.waiting() == {batch.id}
    batches.finish(line.database, lease_of(line, batch.id, 60.0), outcome(stale, frozenset()))
    assert jobs.get(line.database, job.id).state is JobState.DONE


def test_a_batch_that_kills_its_workers_ends_in_quarantine_and_its_siblings_are_scored(
    line: Line, tmp_path: Path
) -> None:
    job = submit(line, pictures(tmp_path / "scans", "a.png", "b.png", "c.png"), triggered_by=Trigger.CLI)
    first, _ = batches.of_job(line.database, job.id)
    for _ in range(3):
        lease_of(line, first.id, -1.0)
        sweep(line)
    score(line, job)
    sweep(line)
    ended = jobs.get(line.database, job.id)
    assert ended.state is JobState.DONE
    assert (ended.accounts.scored, ended.accounts.quarantined, ended.accounts.open) == (1, 2, 0)
    told = [result.message for result in results.of_job(line.database, job.id) if result.status == "rejected"]
    assert told == ["its batch was given up after 3 attempts: its worker did not finish in time"] * 2


def test_without_redis_the_sweep_still_ends_what_is_over(line: Line, settings: MakeSettings, tmp_path: Path) -> None:
    folder = line.settings.claimed_folder / "claim" / "scans"
    job = submit(line, pictures(folder, "a.png"), triggered_by=Trigger.INBOX, claim="claim")
    score(line, job)
    cut_off = Line.open(settings(database_url=line.settings.database_url, broker_url=f"redis+socket://{tmp_path}/none"))
    cut_off.settings.done_folder.mkdir(parents=True)
    sweep(cut_off)
    assert [path.name for path in cut_off.settings.done_folder.glob("*/*.png")] == ["a.png"]
    cut_off.close()


def test_nothing_is_queued_while_redis_is_away(line: Line, settings: MakeSettings, tmp_path: Path) -> None:
    cut_off = Line.open(settings(database_url=line.settings.database_url, broker_url=f"redis+socket://{tmp_path}/none"))
    with pytest.raises(QueueUnreachable):
        submit(cut_off, pictures(tmp_path / "scans", "a.png"), triggered_by=Trigger.CLI)
    assert jobs.newest(line.database, 10) == []
    cut_off.close()


def test_a_retried_drop_is_filed_anew(line: Line) -> None:
    folder = line.settings.claimed_folder / "claim" / "scans"
    job = submit(line, pictures(folder, "a.png"), triggered_by=Trigger.INBOX, claim="claim")
    for shelf in (line.settings.done_folder, line.settings.failed_folder):
        shelf.mkdir(parents=True)
    (batch,) = batches.of_job(line.database, job.id)
    for _ in range(3):
        lease_of(line, batch.id, -1.0)
        sweep(line)
    sweep(line)
    assert [path.name for path in line.settings.failed_folder.glob("*/*.png")] == ["a.png"]
    retried = steering.retry(line.database, jobs.get(line.database, job.id))
    send_batches(line.app, batches.of_job(line.database, job.id))
    score(line, retried)
    wait_until(lambda: not sweep(line) and not jobs.unfiled(line.database), "the drop is filed anew")
    assert [path.name for path in line.settings.done_folder.glob("*/*.png")] == ["a.png"]
    assert list(line.settings.failed_folder.iterdir()) == []
