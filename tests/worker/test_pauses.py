"""A real worker and a real scheduler while the whole line is paused, and once it goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from core import tables
from core.ledger import jobs, pauses
from core.vocabulary import JobState, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.conftest import MakeSettings
from tests.core.examples import rows
from tests.digits import digit_folder
from tests.processes import PATIENCE, running
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)


def test_a_line_that_is_paused_scores_nothing_takes_drops_and_goes_on_where_it_was_after_a_restart(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    chosen = settings(
        database_url=sqlite_url,
        broker_url=redis_url,
        concurrency=1,
        batch_size=4,
        window=1,
        settle_time=0.2,
        sweep_interval=0.3,
        resend_after=0.5,
    )
    prepare_ledger(chosen)
    line = Line.open(chosen)
    job = submit(line, digit_folder(tmp_path / "digits", 12), triggered_by=Trigger.SCRIPT)
    pauses.pause_line(line.database, by="ada", reason="new disks")
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        worker.says(READY)
        with running(chosen, "scheduler", log=tmp_path / "scheduler.log") as scheduler:
            worker.says("left alone")
            digit_folder(chosen.inbox_folder / "drop", 4)
            wait_until(lambda: len(jobs.newest(line.database, 9)) == 2, "the drop is a job", PATIENCE)
            assert scheduler.stop() == 0
        assert {row["attempts"] for row in rows(line.database, tables.batches)} == {0}
        assert sum(line.inspector.depths().values()) == 0
        with running(chosen, "scheduler", log=tmp_path / "again.log"):
            pauses.resume_line(line.database)
            for one in jobs.newest(line.database, 9):
                wait_until(partial(is_done, line, one.id), f"job {one.id} is done", PATIENCE)
    assert jobs.get(line.database, job.id).accounts.scored == 12
    assert {row["attempts"] for row in rows(line.database, tables.batches)} == {1}
    line.close()


def is_done(line: Line, job_id: int) -> bool:
    return jobs.get(line.database, job_id).state is JobState.DONE
