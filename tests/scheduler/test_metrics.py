"""What Prometheus is told is what the ledger, Redis and the inbox have."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from core import tables
from core.database import Database
from core.ledger import batches, jobs, models, pauses, steering, sweeps
from core.queues import send_batches
from core.vocabulary import Batch, JobState
from scheduler import totals
from scheduler.endpoint import Endpoint
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.core.examples import (
    MAX_ATTEMPTS,
    RUN_OUT,
    batch_row,
    create_job,
    exhaust,
    new_job,
    outcome,
    register_model,
    rows,
    score,
    take,
)
from tests.scheduler.scraping import Scrape, everything, scrape, serving

MODEL = {"model": "small", "model_id": "1"}


@pytest.fixture
def line(settings: MakeSettings, database_url: str, redis_url: str) -> Iterator[Line]:
    """A line with a model and nothing else; the test runs once on each database."""
    line = Line.open(settings(database_url=database_url, broker_url=redis_url))
    register_model(line.database)
    yield line
    line.close()


@pytest.fixture
def endpoint(line: Line) -> Iterator[Endpoint]:
    """The metrics of that line."""
    with serving(line.settings) as endpoint:
        yield endpoint


def first_batch(database: Database, sizes: list[int], **options: Any) -> Batch:
    return batches.of_job(database, create_job(database, sizes, **options).id)[0]


def images_of(found: Scrape) -> dict[str, float]:
    return found.by("outcome", "images_total")


def test_images_are_counted_as_the_ledger_has_them(line: Line, endpoint: Endpoint) -> None:
    everything(line)
    found = scrape(endpoint)
    predictions, rejections = rows(line.database, tables.predictions), rows(line.database, tables.rejections)
    reasons = Counter(row["reason"] for row in rejections)
    refused = sum(reasons.values()) - reasons["quarantined"]
    assert images_of(found) == {"scored": len(predictions), "rejected": refused, "quarantined": 2}
    assert found.by("reason", "rejections_total") == reasons
    labels = Counter("string" if row["string"] else str(row["label"]) for row in predictions)
    assert found.by("label", "labels_total", **MODEL) == labels
    verdicts = Counter(row["verdict"] for row in predictions)
    assert found.by("verdict", "verdicts_total", **MODEL) == {**verdicts, "blank": 1, "several": 1}
    known = [row for row in predictions if row["true_label"] is not None and not row["string"]]
    assert found.value("labelled_images_total", **MODEL) == len(known) == 7
    assert found.value("correct_images_total", **MODEL) == sum(row["label"] == row["true_label"] for row in known) == 6
    assert found.value("escalated_images_total", **MODEL) == 1


def test_confidences_are_a_histogram_by_model(line: Line, endpoint: Endpoint) -> None:
    everything(line)
    found, confidences = scrape(endpoint), [row["confidence"] for row in rows(line.database, tables.predictions)]
    assert found.value("confidence_ratio_count", **MODEL) == len(confidences)
    assert found.value("confidence_ratio_sum", **MODEL) == pytest.approx(sum(confidences))
    below = {
        bound: found.value("confidence_ratio_bucket", **MODEL, le=bound) for bound in ("0.7", "0.8", "1.0", "+Inf")
    }
    assert below == {"0.7": 0, "0.8": 10, "1.0": 10, "+Inf": 10}


def test_batches_and_their_stages_are_timed(line: Line, endpoint: Endpoint) -> None:
    everything(line)
    found = scrape(endpoint)
    done = [row for row in rows(line.database, tables.batches) if row["state"] == "done"]
    ended = {state: found.value("batches_total", queue="express", state=state) for state in ("done", "quarantined")}
    assert ended == {"done": len(done), "quarantined": 1}
    assert found.value("batch_duration_seconds_count", queue="express") == len(done)
    taken = sum((row["finished_at"] - row["started_at"]).total_seconds() for row in done)
    assert found.value("batch_duration_seconds_sum", queue="express") == pytest.approx(taken)
    spent: Counter[str] = Counter()
    for row in done:
        spent.update(row["timings"])
    assert found.by("stage", "stage_duration_seconds_sum", queue="express") == pytest.approx(dict(spent))
    assert set(spent) == {"wait", "read", "predict", "record"}
    assert found.value("stage_duration_seconds_bucket", stage="predict", queue="express", le="0.5") == 2
    assert found.value("stage_duration_seconds_bucket", stage="predict", queue="express", le="2.5") == 3


def test_what_ended_before_the_start_is_not_counted_and_nothing_is_counted_twice(line: Line) -> None:
    score(line.database, create_job(line.database, [3]))
    with serving(line.settings) as endpoint:
        assert images_of(scrape(endpoint)) == {}
        score(line.database, create_job(line.database, [2, 1]))
        assert [images_of(scrape(endpoint)) for _ in range(3)] == [{"scored": 3}] * 3
        score(line.database, create_job(line.database, [4]))
        assert images_of(scrape(endpoint)) == {"scored": 7}


def test_two_scrapes_at_once_count_nothing_twice(line: Line, endpoint: Endpoint) -> None:
    score(line.database, create_job(line.database, [2] * 20))
    threads = [threading.Thread(target=scrape, args=(endpoint,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images_of(scrape(endpoint)) == {"scored": 40}


def test_a_batch_that_is_scored_anew_has_ended_twice(line: Line, endpoint: Endpoint) -> None:
    job = create_job(line.database, [2])
    (batch,) = batches.of_job(line.database, job.id)
    exhaust(line.database, batch)
    sweeps.quarantine_exhausted(line.database, MAX_ATTEMPTS)
    assert images_of(scrape(endpoint)) == {"quarantined": 2}
    steering.retry(line.database, jobs.get(line.database, job.id))
    assert images_of(scrape(endpoint)) == {"quarantined": 2}
    score(line.database, job)
    assert images_of(scrape(endpoint)) == {"quarantined": 2, "scored": 2}


def test_an_end_that_is_committed_late_is_counted_all_the_same(line: Line, endpoint: Endpoint) -> None:
    late, early = batches.of_job(line.database, create_job(line.database, [2, 3]).id)
    lease = take(line.database, early)
    batches.finish(line.database, lease, outcome(lease))
    assert images_of(scrape(endpoint)) == {"scored": 3}
    lease = take(line.database, late)
    batches.finish(line.database, lease, outcome(lease))
    a_minute_before = batch_row(line.database, early)["finished_at"] - timedelta(seconds=60)
    with line.database.begin() as connection:
        connection.execute(
            update(tables.batches).where(tables.batches.c.id == late.id).values(finished_at=a_minute_before)
        )
    assert images_of(scrape(endpoint)) == {"scored": 5}


def test_where_very_much_has_ended_a_scrape_counts_a_part_and_says_so(
    line: Line, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "_MOST", 2)
    score(line.database, create_job(line.database, [1] * 5))
    seen = [scrape(endpoint) for _ in range(4)]
    assert [found.value("images_total", outcome="scored") for found in seen] == [2, 4, 5, 5]
    assert [found.value("uncounted_batches") for found in seen] == [3, 1, 0, 0]


def test_what_waits_is_told_by_queue_as_ledger_and_redis_have_it(line: Line, endpoint: Endpoint) -> None:
    job = create_job(line.database, [3, 4])
    send_batches(line.app, batches.of_job(line.database, job.id)[:1])
    an_hour_ago = batch_row(line.database, batches.of_job(line.database, job.id)[0])["sent_at"] - timedelta(hours=1)
    with line.database.begin() as connection:
        connection.execute(update(tables.batches).where(tables.batches.c.sequence == 2).values(sent_at=an_hour_ago))
    found = scrape(endpoint)
    waiting = ("queue_messages", "waiting_batches", "waiting_images")
    assert [found.value(name, queue="express") for name in waiting] == [1, 2, 7]
    assert [found.value(name, queue="bulk") for name in waiting] == [0, 0, 0]
    age = found.value("oldest_waiting_batch_age_seconds", queue="express")
    assert age is not None
    assert 3600 <= age < 3700
    assert found.value("oldest_waiting_batch_age_seconds", queue="bulk") == 0


def test_a_paused_job_waits_for_a_person_and_not_for_a_worker(line: Line, endpoint: Endpoint) -> None:
    job = create_job(line.database, [1, 5], max_rejected=0.0)
    lease = take(line.database, batches.of_job(line.database, job.id)[0])
    batches.finish(line.database, lease, outcome(lease, labels=[None]))
    jobs.create(line.database, new_job([1]))
    found = scrape(endpoint)
    assert found.by("state", "jobs") == {JobState.PAUSED: 1, JobState.QUEUED: 1}
    assert found.value("waiting_batches", queue="express") == 1


def test_a_line_that_is_paused_is_told(line: Line, endpoint: Endpoint) -> None:
    assert scrape(endpoint).value("line_paused") == 0
    pauses.pause_line(line.database, by="ada")
    assert scrape(endpoint).value("line_paused") == 1


def test_leases_and_those_who_hold_them_are_told(line: Line, endpoint: Endpoint) -> None:
    first, second, third, _ = batches.of_job(line.database, create_job(line.database, [1] * 4).id)
    take(line.database, first, worker="ada:1")
    take(line.database, second, worker="ada:1")
    take(line.database, third, worker="ada:2", lease_time=RUN_OUT)
    found = scrape(endpoint)
    told = [found.value(name) for name in ("open_leases", "overdue_leases", "busy_worker_processes")]
    assert told == [2, 1, 2]


def test_the_models_in_use_are_named_and_show_zeros_before_they_have_scored(line: Line, endpoint: Endpoint) -> None:
    models.challenge(line.database, register_model(line.database, "rival"))
    found = scrape(endpoint)
    in_use = {sample.labels["alias"]: sample.labels for sample in found.families["digitline_model_info"].samples}
    assert {alias: labels["model"] for alias, labels in in_use.items()} == {
        "production": "small",
        "challenger": "rival",
    }
    assert in_use["production"]["sha256"] == models.find(line.database, "small").sha256
    assert found.value("labels_total", model="rival", model_id="2", label="7") == 0
    assert found.value("verdicts_total", model="small", model_id="1", verdict="uncertain") == 0


def test_the_inbox_tells_how_long_its_oldest_drop_has_lain(line: Line, endpoint: Endpoint) -> None:
    assert scrape(endpoint).value("inbox_oldest_drop_age_seconds") == 0
    for name in ("scans", ".hidden", "upload.part"):  # the last two are nobody's drops
        (line.settings.inbox_folder / name).mkdir()
    before = time.time() - os.lstat(line.settings.inbox_folder / "scans").st_ctime
    found = scrape(endpoint)
    assert found.value("inbox_drops") == 1
    age = found.value("inbox_oldest_drop_age_seconds")
    assert age is not None
    assert before <= age <= before + 60


def test_the_heartbeat_of_the_scheduler_is_told_once_there_is_one(line: Line, endpoint: Endpoint) -> None:
    assert scrape(endpoint).value("scheduler_last_turn_timestamp_seconds") is None
    line.settings.heartbeat_file.touch()
    os.utime(line.settings.heartbeat_file, (1e9, 1e9))
    assert scrape(endpoint).value("scheduler_last_turn_timestamp_seconds") == 1e9


def test_a_scrape_reads_no_image(line: Line) -> None:
    with serving(line.settings) as endpoint:
        everything(line)
        with line.database.begin() as connection:
            for table in ("shadow_predictions", "predictions", "rejections", "confusion"):
                connection.execute(text(f"DELETE FROM {table}"))
        assert images_of(scrape(endpoint)) == {"scored": 10, "rejected": 4, "quarantined": 2}
