"""The metrics are to be had over HTTP whatever else is down, where they were asked for and nowhere else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command

from core.database import Database
from core.errors import LineError
from scheduler import endpoint as endpoints
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.core.examples import create_job, register_model, score
from tests.docs.pages import code, rows, text
from tests.processes import running
from tests.scheduler.scraping import Scrape, lived_through_everything, scrape, serving
from tests.servers import PostgresServer, RedisServer, free_port
from tests.waiting import wait_until

#: Label names that say nothing of a family: Prometheus' own.
_BUCKET = {"le"}


@pytest.fixture
def line(settings: MakeSettings, sqlite_url: str, redis_url: str) -> Iterator[Line]:
    """A line with a model and nothing else."""
    with closing(Line.open(settings(database_url=sqlite_url, broker_url=redis_url))) as line:
        register_model(line.database)
        yield line


@pytest.fixture
def whole(line: Line) -> Scrape:
    """A scrape of a line in which everything has happened."""
    with lived_through_everything(line.settings) as scrape:
        return scrape


def parts(found: Scrape) -> dict[str, float]:
    return {sample.labels["part"]: sample.value for sample in found.families["digitline_up"].samples}


def ours(found: Scrape) -> dict[str, set[str]]:
    """The line's families as the text names them, and their labels."""
    named = {}
    for family in found.families.values():
        if family.name.startswith("digitline_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            named[name] = {label for sample in family.samples for label in sample.labels} - _BUCKET
    return named


def test_without_redis_its_part_is_down_and_the_others_are_told(
    settings: MakeSettings, sqlite_url: str, redis_server: RedisServer
) -> None:
    with closing(Database(sqlite_url)) as database:
        create_job(database, [3])
    with serving(settings(database_url=sqlite_url, broker_url=redis_server.url)) as endpoint:
        assert parts(scrape(endpoint)) == {"ledger": 1, "redis": 1, "inbox": 1}
        redis_server.stop()
        found = scrape(endpoint)
        assert parts(found) == {"ledger": 1, "redis": 0, "inbox": 1}
        assert found.value("waiting_batches", queue="express") == 1
        assert "digitline_queue_messages" not in found.families
        redis_server.start()
        assert parts(scrape(endpoint))["redis"] == 1


def test_without_the_ledger_its_part_is_down_and_what_was_counted_stays(
    settings: MakeSettings, redis_url: str, postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Database(postgres_server.create_database("line"))) as database:
        command.upgrade(database.alembic_config(), "head")
        with serving(settings(database_url=str(postgres_server.url("line")), broker_url=redis_url)) as endpoint:
            score(database, create_job(database, [3]))
            assert scrape(endpoint).value("images_total", outcome="scored") == 3
            postgres_server.kill()
            found = [scrape(endpoint), scrape(endpoint)]
            assert [parts(one) for one in found] == [{"ledger": 0, "redis": 1, "inbox": 1}] * 2
            assert found[1].value("images_total", outcome="scored") == 3
            assert found[1].value("open_leases") is None
            assert sum("the metrics miss a part of the line, ledger" in said for said in caplog.messages) == 1
            postgres_server.start()
            database.close()
            score(database, create_job(database, [2]))
            again = scrape(endpoint)
            assert parts(again)["ledger"] == 1
            assert again.value("images_total", outcome="scored") == 5


def test_without_the_inbox_its_part_is_down(line: Line) -> None:
    with serving(line.settings) as endpoint:
        shutil.rmtree(line.settings.inbox_folder)
        assert parts(scrape(endpoint)) == {"ledger": 1, "redis": 1, "inbox": 0}


def test_while_a_server_gives_no_answer_a_second_scrape_says_which_it_is(
    settings: MakeSettings, sqlite_url: str, redis_server: RedisServer
) -> None:
    with (
        serving(settings(database_url=sqlite_url, broker_url=redis_server.url)) as endpoint,
        ThreadPoolExecutor(2) as scrapers,
    ):
        assert parts(scrape(endpoint))["redis"] == 1
        os.kill(redis_server.pid, signal.SIGSTOP)
        asked = [scrapers.submit(scrape, endpoint) for _ in range(2)]
        wait_until(lambda: any(one.done() for one in asked), "one of two scrapes is answered")
        os.kill(redis_server.pid, signal.SIGCONT)
        first = next(one for one in asked if one.done())
        assert parts(first.result()) == {"redis": 0}
        assert parts(scrape(endpoint)) == {"ledger": 1, "redis": 1, "inbox": 1}


def test_nothing_listens_unless_it_is_asked_for(line: Line) -> None:
    assert endpoints.serve(line.settings) is None


def test_a_port_that_is_taken_is_named(settings: MakeSettings, line: Line) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LineError, match=f"Metrics cannot be served on 127.0.0.1, port {port}: Address already"):
            endpoints.serve(settings(database_url=line.settings.database_url, metrics_port=port))


def test_an_address_that_is_none_of_this_host_is_named(settings: MakeSettings, line: Line) -> None:
    elsewhere = settings(database_url=line.settings.database_url, metrics_port=9464, metrics_address="192.0.2.1")
    with pytest.raises(LineError, match="Metrics cannot be served on 192.0.2.1, port 9464: Cannot assign"):
        endpoints.serve(elsewhere)


def test_by_default_nobody_but_this_host_reaches_it(line: Line) -> None:
    with serving(line.settings) as endpoint:
        assert endpoint.url.startswith("http://127.0.0.1:")


def test_the_address_is_written_as_a_browser_takes_it(settings: MakeSettings) -> None:
    assert endpoints.url(settings(metrics_port=9464)) == "http://127.0.0.1:9464/metrics"
    assert endpoints.url(settings(metrics_port=9464, metrics_address="::1")) == "http://[::1]:9464/metrics"


def test_the_scheduler_serves_the_metrics_and_stops_with_them(
    settings: MakeSettings, line: Line, tmp_path: Path
) -> None:
    chosen = {"database_url": line.settings.database_url, "broker_url": line.settings.broker_url}
    with running(settings(metrics_port=free_port(), **chosen), "scheduler", log=tmp_path / "log") as scheduler:
        scheduler.says("the inbox is")
        url = next(word for word in scheduler.output.split() if word.endswith("/metrics"))

        def told() -> Scrape:
            with urllib.request.urlopen(url) as answer:
                return Scrape(answer.read().decode())

        wait_until(lambda: told().value("scheduler_last_turn_timestamp_seconds"), "the loop has turned")
        score(line.database, create_job(line.database, [3]))
        assert told().value("images_total", outcome="scored") == 3
        assert "process_resident_memory_bytes" in told().families
        assert scheduler.stop() == 0


def test_a_single_round_of_the_scheduler_serves_no_metrics(settings: MakeSettings, line: Line, tmp_path: Path) -> None:
    chosen = {"database_url": line.settings.database_url, "broker_url": line.settings.broker_url}
    with running(settings(metrics_port=free_port(), **chosen), "scheduler", "--once", log=tmp_path / "log") as round_:
        round_.says("the inbox is")
        assert "/metrics" not in round_.output


def test_names_and_help_are_as_prometheus_wants_them(whole: Scrape) -> None:
    for family in whole.families.values():
        if family.name.startswith("digitline_"):
            assert family.documentation.endswith(".")
            assert family.type in {"counter", "gauge", "histogram"}
            assert family.name.endswith(("_seconds", "_ratio")) or family.type != "histogram"
            assert not family.name.endswith(("_total", "_ms", "_milliseconds", "_percent", "_minutes"))
    assert "_created" not in whole.text
    promtool = shutil.which("promtool")
    if promtool is not None:  # it looks for what this test looks for, and for more
        subprocess.run([promtool, "check", "metrics"], input=whole.text, text=True, check=True, capture_output=True)


def test_the_page_lists_every_family_with_its_labels(whole: Scrape) -> None:
    listed = {code(cells[0])[0]: set(code(cells[1])) for cells in rows(text("metrics.md")) if code(cells[0])}
    named = {name: labels for name, labels in listed.items() if name.startswith("digitline_")}
    assert named == ours(whole)
