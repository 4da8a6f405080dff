"""A worker process: it lives through a database that is away, and fails in plain sight where it cannot work."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from classifier.artifact import shipped_model
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import JobState, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.conftest import MakeSettings
from tests.digits import digit_folder
from tests.processes import PATIENCE, LineProcess, members_of_session, running
from tests.servers import PostgresServer
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("trouble", ["no folder", "another model"])
def test_a_worker_that_cannot_load_its_model_ends_with_exit_code_1(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path, trouble: str
) -> None:
    model = shutil.copytree(shipped_model(), tmp_path / "model")
    chosen = settings(database_url=sqlite_url, broker_url=redis_url, concurrency=2, model=model)
    prepare_ledger(chosen)
    card = model / "card.json"
    if trouble == "no folder":
        shutil.rmtree(model)
    else:
        card.write_text(card.read_text().replace('"weights_sha256": "', '"weights_sha256": "0'))
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends", PATIENCE)
        assert worker.exit_code == 1
        assert "no batch can be scored here, so the worker ends" in worker.output


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


def scored(settings: Settings, folder: Path) -> int:
    """Score a folder; returns how many images were."""
    line = Line.open(settings)
    try:
        job = submit(line, folder, triggered_by=Trigger.SCRIPT)
        wait_until(lambda: jobs.get(line.database, job.id).state is JobState.DONE, "the job is done", PATIENCE)
        return jobs.get(line.database, job.id).accounts.scored
    finally:
        line.close()
