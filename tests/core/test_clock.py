"""Time is the database's: it goes forwards, has a zone, and compares with what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from core import clock, tables
from core.database import Database
from tests.core.examples import RUN_OUT, create_batch, rows, take


def test_moments_are_in_utc_and_near_this_hosts(database: Database) -> None:
    with database.read() as connection:
        moment = connection.execute(select(clock.now())).scalar_one()
    assert moment.tzinfo is UTC or moment.utcoffset() == timedelta(0)
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("seconds", [0.0, 0.25, 90.0, -90.0, 86_400.0 * 400, -1e-7, 1e-5])
def test_seconds_are_added_to_the_databases_moment(database: Database, seconds: float) -> None:
    with database.read() as connection:
        before, moved, after = connection.execute(
            select(clock.now(), clock.seconds_from_now(seconds), clock.now())
        ).one()
    slack = timedelta(milliseconds=2)
    assert before - slack <= moved - timedelta(seconds=seconds) <= after + slack


@pytest.mark.parametrize(("earlier", "later"), [(-0.5, 0.5), (9.5, 10.5), (-86_400.0, -86_399.0), (3599.0, 86_401.0)])
def test_stored_moments_compare_as_moments(database: Database, earlier: float, later: float) -> None:
    lease = take(database, create_batch(database))
    until = tables.batches.c.lease_until
    for seconds, past in ((earlier, True), (later, False)):
        with database.begin() as connection:
            connection.execute(tables.batches.update().values(lease_until=clock.seconds_from_now(seconds)))
            between = clock.seconds_from_now((earlier + later) / 2)
            assert connection.scalars(select(tables.batches.c.id).where(until < between)).all() == (
                [lease.batch.id] if past else []
            )


def test_a_stored_moment_is_read_with_its_zone(database: Database) -> None:
    take(database, create_batch(database), lease_time=RUN_OUT)
    (row,) = rows(database, tables.batches)
    assert row["lease_until"].utcoffset() == timedelta(0)
    assert row["started_at"] - row["lease_until"] > timedelta(seconds=0.5)


def test_a_transaction_that_waited_sees_the_time_at_which_it_goes_on(postgres: Database) -> None:
    with postgres.read() as connection:
        first, second = (connection.execute(select(clock.now())).scalar_one() for _ in range(2))
    assert first < second
