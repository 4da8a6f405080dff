"""A worker process: it lives through a database that is away, and fails in plain sight where it cannot work."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from classifier.artifact import read_card, shipped_model, write_card
from core import tables
from core.ledger import batches, jobs, models, results
from core.queues import send_batches
from core.settings import Settings
from core.vocabulary import JobState, Labels, NewJob, Trigger
from digitline.setup import prepare_ledger, register_folder
from scheduler.producer import Line, plan, submit
from tests.conftest import MakeSettings
from tests.core.examples import rows
from tests.digits import digit_folder
from tests.processes import PATIENCE, LineProcess, members_of_session, running
from tests.servers import PostgresServer
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("trouble", ["no folder", "another card", "another network"])
def test_a_worker_whose_model_is_gone_or_changed_since_it_was_added_ends_with_exit_code_1(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path, trouble: str
) -> None:
    model = shutil.copytree(shipped_model(), tmp_path / "model")
    chosen = settings(database_url=sqlite_url, broker_url=redis_url, concurrency=2, model=model)
    prepare_ledger(chosen)
    said = change(model, trouble)
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends", PATIENCE)
        assert worker.exit_code == 1
        assert "no batch can be scored here, so the worker ends" in worker.output
        assert said in worker.output


def change(model: Path, trouble: str) -> str:
    """Do something to a model folder; returns what a worker says of it."""
    if trouble == "no folder":
        shutil.rmtree(model)
        return "card.json cannot be read: No such file or directory"
    if trouble == "another card":
        card = model / "card.json"
        card.write_text(card.read_text().replace('"temperature": ', '"temperature": 1'))
        return "holds another model: the SHA-256 of its card.json differs"
    with (model / "fast.keras").open("ab") as network:
        network.write(b"!")
    return "fast.keras is not the file of card.json: its SHA-256 differs"


def test_a_promotion_and_a_challenge_reach_the_next_job_in_the_same_process_and_no_job_before_it(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    chosen = settings(database_url=sqlite_url, broker_url=redis_url, concurrency=1)
    prepare_ledger(chosen)
    folder = digit_folder(tmp_path / "digits", 5)
    line = Line.open(chosen)
    first_name = models.find(line.database, models.PRODUCTION).name
    second = register_folder(line.database, copy_of_shipped_model(tmp_path / "second"), chosen)
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        worker.says(READY)
        first = submit(line, folder, triggered_by=Trigger.SCRIPT)
        wait_until(partial(is_done, line, first.id), "the first job is done", PATIENCE)
        before = jobs.create(line.database, unsent(chosen, folder))
        models.promote(line.database, second)
        models.challenge(line.database, models.find(line.database, first_name), 1.0)
        after = submit(line, folder, triggered_by=Trigger.SCRIPT)
        send_batches(line.app, batches.of_job(line.database, before.id))
        for job in (before, after):
            wait_until(partial(is_done, line, job.id), f"job {job.id} is done", PATIENCE)
        assert worker.stop() == 0
    named = {job.id: {one.model for one in results.of_job(line.database, job.id)} for job in (first, before, after)}
    assert named == {first.id: {first_name}, before.id: {first_name}, after.id: {"second"}}
    workers = {row["worker"] for row in rows(line.database, tables.batches)}
    assert len(workers) == 1
    shadows = rows(line.database, tables.shadow_predictions)
    (shadowed,) = batches.of_job(line.database, after.id)
    assert [row["batch_id"] for row in shadows] == [shadowed.id] * 5
    line.close()


def unsent(settings: Settings, folder: Path) -> NewJob:
    """A job of a folder, whose messages are left to the test."""
    return plan(settings, folder, name=None, labels=Labels.AUTO, queue=None, triggered_by=Trigger.SCRIPT, claim=None)


def copy_of_shipped_model(folder: Path) -> Path:
    """The shipped model under another name, which makes it another model; returns its folder."""
    shutil.copytree(shipped_model(), folder)
    write_card(folder, dataclasses.replace(read_card(folder), name=folder.name))
    return folder


def test_a_worker_that_is_told_to_stop_ends_with_exit_code_0(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    chosen = settings(database_url=sqlite_url, broker_url=redis_url, concurrency=1)
    prepare_ledger(chosen)
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        worker.says(READY)
        assert worker.stop() == 0


def test_a_worker_whose_child_is_replaced_while_the_database_is_away_scores_once_it_is_back(
    settings: MakeSettings, postgres_server: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    url = postgres_server.create_database("away")
    chosen = settings(database_url=url, broker_url=redis_url, concurrency=1, batch_size=10)
    prepare_ledger(chosen)
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        worker.says(READY)
        postgres_server.stop()
        kill_children(worker)
        worker.says("the first batch has to load its model")
        postgres_server.start()
        assert scored(chosen, digit_folder(tmp_path / "digits", 10)) == 10
        assert worker.stop() == 0


def kill_children(worker: LineProcess) -> None:
    """Kill the processes of a worker's pool."""
    for process_id in members_of_session(worker.pid):
        if process_id != worker.pid:
            os.kill(process_id, signal.SIGKILL)


def is_done(line: Line, job_id: int) -> bool:
    """True once a job is done."""
    return jobs.get(line.database, job_id).state is JobState.DONE


def scored(settings: Settings, folder: Path) -> int:
    """Score a folder; returns how many images were."""
    line = Line.open(settings)
    try:
        job = submit(line, folder, triggered_by=Trigger.SCRIPT)
        wait_until(partial(is_done, line, job.id), "the job is done", PATIENCE)
        return jobs.get(line.database, job.id).accounts.scored
    finally:
        line.close()
