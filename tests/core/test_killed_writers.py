"""SQLite writers that are killed at any moment lose nothing, write nothing twice, and leave the file sound."""

from __future__ import annotations

import subprocess
import sys

from core.database import Database
from core.ledger import batches, jobs
from core.vocabulary import JobState
from tests.conftest import MakeSettings
from tests.core.examples import create_job
from tests.core.killed_writers import labels_of
from tests.core.test_sqlite_writers import assert_sound
from tests.environment import variables
from tests.oracle import Expected, check_job

WRITERS = 8
#: Images of a batch.
SIZE = 20


def survive(database: Database, environment: dict[str, str], count: int, kills: int) -> int:
    """Have batches written by writers of which many are killed, and look at what is there afterwards.

    Returns:
        How many transactions ended, those of the killed among them.
    """
    job = create_job(database, [SIZE] * count, labelled=True)
    batch_ids = [str(batch.id) for batch in batches.of_job(database, job.id)]
    url = database.url.render_as_string()
    program = [sys.executable, "-m", "tests.core.killed_writers", url, str(WRITERS), str(kills), *batch_ids]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    killed, transactions = map(int, ended.stdout.split())
    assert killed == kills
    expected: Expected = {
        f"{sequence}/{position}.png": label
        for sequence in range(1, count + 1)
        for position, label in enumerate(labels_of(SIZE))
    }
    check_job(database, job.id, expected)
    assert jobs.get(database, job.id).state is JobState.DONE
    assert_sound(database)
    return transactions


def test_writers_that_are_killed_at_any_moment_lose_nothing_and_harm_no_file(
    sqlite: Database, settings: MakeSettings
) -> None:
    assert survive(sqlite, variables(settings()), count=120, kills=30) >= 120 * (WRITERS + 2)
