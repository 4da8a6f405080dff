"""When a cron expression comes true next, also where clocks are put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from core.errors import ScheduleError
from scheduler.cron import next_after

BERLIN = "Europe/Berlin"


def times(start: datetime, expression: str, timezone: str, number: int) -> list[datetime]:
    found = [start]
    for _ in range(number):
        found.append(next_after(found[-1], expression, timezone))
    return found[1:]


def local(moments: list[datetime], zone: str) -> list[str]:
    return [f"{moment.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for moment in moments]


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("0 2 * * *", "UTC", "2026-01-02T02:00"),
        ("0 2 * * *", BERLIN, "2026-01-02T01:00"),
        ("0 2 * * *", "America/New_York", "2026-01-02T07:00"),
        ("*/15 9-17 * * mon-fri", "UTC", "2026-01-02T09:00"),
        ("0 0 L * *", "UTC", "2026-01-31T00:00"),
        ("0 0 29 2 *", "UTC", "2028-02-29T00:00"),
    ],
)
def test_the_fields_are_read_by_the_clocks_of_the_zone(expression: str, timezone: str, expected: str) -> None:
    after = next_after(datetime(2026, 1, 1, 20, tzinfo=UTC), expression, timezone)
    assert after.isoformat() == f"{expected}:00+00:00"


def test_a_time_that_comes_true_just_now_comes_true_next_a_day_later() -> None:
    two = datetime(2026, 6, 1, 2, tzinfo=UTC)
    assert next_after(two, "0 2 * * *", "UTC") == datetime(2026, 6, 2, 2, tzinfo=UTC)


def test_a_night_without_that_hour_has_its_run_right_after_it() -> None:
    found = times(datetime(2026, 3, 28, 12, tzinfo=UTC), "30 2 * * *", BERLIN, 2)
    assert local(found, BERLIN) == ["03-29 03:00 +0200", "03-30 02:30 +0200"]


def test_a_night_with_that_hour_twice_has_one_run() -> None:
    found = times(datetime(2026, 10, 24, 12, tzinfo=UTC), "30 2 * * *", BERLIN, 2)
    assert local(found, BERLIN) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]


def test_every_half_hour_is_every_half_hour_while_clocks_are_put_back() -> None:
    found = times(datetime(2026, 10, 24, 23, 45, tzinfo=UTC), "*/30 * * * *", BERLIN, 6)
    assert {later - earlier for earlier, later in pairwise(found)} == {found[1] - found[0]}


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "not of five fields"),
        ("@daily", "not of five fields"),
        ("0 0 2 * * *", "not of five fields"),
        ("0 2 * * " + "1," * 100 + "1", "up to 100 characters"),
        ("61 * * * *", "makes no sense: its minute"),
        ("0 24 * * *", "makes no sense: its hour"),
        ("0 2 31 2 *", "makes no sense: its day-of-month"),
        ("0 2 * * moon", "makes no sense: its day-of-week"),
        ("0 0 */20 * 1L", "a day that never comes"),
    ],
)
def test_an_expression_that_makes_no_sense_is_named(expression: str, told: str) -> None:
    with pytest.raises(ScheduleError, match=told) as caught:
        next_after(datetime(2026, 1, 1, tzinfo=UTC), expression, "UTC")
    assert repr(expression) in str(caught.value)
    assert "'0 2 * * *'" in caught.value.mend


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Europe", "../../etc/passwd", "/etc/localtime", "a\0b", "\udcff"])
def test_a_zone_that_is_not_there_is_named(zone: str) -> None:
    with pytest.raises(ScheduleError, match="There is no time zone") as caught:
        next_after(datetime(2026, 1, 1, tzinfo=UTC), "0 2 * * *", zone)
    assert "Europe/Berlin" in caught.value.mend
