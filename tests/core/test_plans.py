"""What the line and people ask for all the time is found by an index, however much the ledger holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text, update

from core import clock, tables
from core.database import Database
from core.ledger import batches, endings, figures, jobs, results, sweeps
from core.ledger.bulk import insert_rows
from core.vocabulary import Batch, BatchState, Job, JobState, QueueName
from tests.core.examples import MAX_ATTEMPTS, create_job, new_job, outcome, rows, score, send, take

#: Tables that grow with the images; nothing that is asked all the time may read one from end to end.
LARGE = {table.name for table in (tables.batches, tables.predictions, tables.rejections, tables.confusion)}
#: Jobs that have ended, their batches, and images in a batch: so many that to read them all looks dear to a planner.
OLD_JOBS, OLD_BATCHES, IMAGES = 60, 80, 4

Asked = list[tuple[str, Any]]


@pytest.fixture
def line(database: Database) -> tuple[Database, Job]:
    """A ledger with many jobs that have ended and one of four batches that is open."""
    create_job(database, [IMAGES] * OLD_BATCHES)
    for _ in range(1, OLD_JOBS):
        jobs.create(database, new_job([IMAGES] * OLD_BATCHES))
    with database.begin() as connection:
        connection.execute(update(tables.batches).values(state=BatchState.DONE.value, verdicts={}, reasons={}))
        connection.execute(update(tables.jobs).values(state=JobState.DONE.value))
    numbers = [row["id"] for row in rows(database, tables.batches)]
    with database.begin() as connection:
        columns = ("batch_id", "position", "path", "sha256", "confidence", "margin", "verdict")
        scored = [(batch, at, f"{at}.png", "0" * 64, 0.9, 0.8, "digit") for batch in numbers for at in range(IMAGES)]
        insert_rows(connection, tables.predictions, columns, scored)
        refused = [(batch, IMAGES, "a.txt", "unreadable", "It is no image.") for batch in numbers]
        insert_rows(connection, tables.rejections, ("batch_id", "position", "path", "reason", "message"), refused)
        cells = [(batch, cell // 10, cell % 10, 1) for batch in numbers for cell in range(20)]
        insert_rows(connection, tables.confusion, ("batch_id", "actual", "predicted", "count"), cells)
    job = jobs.create(database, new_job([IMAGES] * 4, labelled=True))
    if not database.sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    return database, job


@contextmanager
def asked(database: Database) -> Iterator[Asked]:
    """Every statement that is sent to the database within the `with`, and its values."""
    said: Asked = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, _context: object, many: bool) -> None:
        if not many and re.match(r"SELECT|UPDATE|DELETE", statement):
            said.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def read_whole(connection: Connection, statement: str, values: Any) -> set[str]:
    """Tables that the database would read from end to end to answer a statement."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        scans = (re.match(r"SCAN (\w+)(?! USING (COVERING )?INDEX)", row.detail) for row in plan)
        return {found[1] for found in scans if found is not None}
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    return set(re.findall(r'"Node Type": "Seq Scan"[^{}]*?"Relation Name": "(\w+)"', json.dumps(plan)))


def whole(database: Database, ask: Callable[[], object]) -> set[str]:
    """Large tables that are read from end to end where this is asked."""
    with asked(database) as said:
        ask()
    assert said
    with database.read() as connection:
        return LARGE.intersection(*[set().union(*(read_whole(connection, *one) for one in said))])


def test_a_plan_that_reads_a_whole_table_is_seen(line: tuple[Database, Job]) -> None:
    database, _ = line
    with database.read() as connection:
        assert read_whole(connection, "SELECT worker FROM batches", ()) == {"batches"}
        assert read_whole(connection, "SELECT path FROM predictions WHERE batch_id = 7", ()) == set()


def test_a_batch_is_claimed_and_ended_by_indexes(line: tuple[Database, Job]) -> None:
    database, job = line
    batch: Batch = batches.of_job(database, job.id)[0]
    assert whole(database, lambda: take(database, batch)) == set()
    lease = take(database, batches.of_job(database, job.id)[1])
    assert whole(database, lambda: batches.renew(database, lease, 60)) == set()
    assert whole(database, lambda: batches.finish(database, lease, outcome(lease))) == set()


def test_the_last_batch_closes_its_job_by_indexes(line: tuple[Database, Job]) -> None:
    database, job = line
    assert whole(database, lambda: score(database, job)) == set()
    assert jobs.get(database, job.id).state is JobState.DONE


def test_a_sweep_reads_what_is_open_alone(line: tuple[Database, Job]) -> None:
    database, _ = line
    for step in (
        lambda: sweeps.take_back_overdue(database, MAX_ATTEMPTS),
        lambda: sweeps.quarantine_exhausted(database, MAX_ATTEMPTS),
        lambda: send(database, waiting={1}, resend_after=-1.0),
        lambda: sweeps.to_send(database, QueueName.EXPRESS, 3),
        lambda: endings.close_all_over(database),
        lambda: jobs.unfiled(database),
    ):
        assert whole(database, step) == set()


def test_the_metrics_read_what_is_open_and_what_has_just_ended(line: tuple[Database, Job]) -> None:
    database, job = line
    moment = clock.read(database)
    score(database, job)
    (*_, (last, _)) = figures.ends_since(database, moment - timedelta(seconds=1))
    for question in (
        lambda: figures.ends_since(database, moment),
        lambda: figures.ended(database, [last]),
        lambda: figures.standing(database),
    ):
        with asked(database) as said:
            question()
        assert not [statement for statement, _ in said if "predictions" in statement or "rejections" in statement]
        assert whole(database, question) == set()


def test_the_first_page_of_results_reads_one_batch(line: tuple[Database, Job]) -> None:
    database, _ = line
    assert whole(database, lambda: next(results.of_job(database, 3))) == set()


def test_the_details_of_a_job_read_its_batches_and_not_its_images(line: tuple[Database, Job]) -> None:
    database, _ = line
    for question in (results.verdict_counts, results.rejection_counts, results.stage_seconds, jobs.get):
        with asked(database) as said:
            question(database, 3)
        assert not [statement for statement, _ in said if "predictions" in statement or "rejections" in statement]
        assert whole(database, lambda question=question: question(database, 3)) == set()
    assert whole(database, lambda: results.job_confusion(database, 3)) == set()


def test_the_first_page_of_status_reads_the_batches_of_the_jobs_that_it_shows(line: tuple[Database, Job]) -> None:
    database, job = line
    assert whole(database, lambda: jobs.newest(database, 3)) == set()
    assert whole(database, lambda: jobs.find(database, str(job.id))) == set()
