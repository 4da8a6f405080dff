"""SQLite writers that are killed at any moment lose nothing, write nothing twice, and leave the file sound."""

from __future__ import annotations

import subprocess
import sys

from core.database import Database
from core.ledger import batches, jobs
from core.vocabulary import JobState
from tests.conftest import MakeSettings
from tests.core.examples import create_job
from tests.core.test_sqlite_writers import assert_sound
from tests.environment import variables
from tests.oracle import Expected, check_job

WRITERS = 8


def survive(database: Database, environment: dict[str, str], count: int, kills: int) -> None:
    """Have batches written by writers of which many are killed, and look at what is there afterwards."""
    job = create_job(database, [2] * count, labelled=True)
    batch_ids = [str(batch.id) for batch in batches.of_job(database, job.id)]
    url = database.url.render_as_string()
    program = [sys.executable, "-m", "tests.core.killed_writers", url, str(WRITERS), str(kills), *batch_ids]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout) == kills
    expected: Expected = {
        f"{sequence}/{position}.png": (0, None)[position] for sequence in range(1, count + 1) for position in range(2)
    }
    check_job(database, job.id, expected)
    assert jobs.get(database, job.id).state is JobState.DONE
    assert_sound(database)


def test_writers_that_are_killed_at_any_moment_lose_nothing_and_harm_no_file(
    sqlite: Database, settings: MakeSettings
) -> None:
    survive(sqlite, variables(settings()), count=100, kills=30)
