"""What must be true of the ledger's tables at any moment, by themselves and beside the model of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import RowMapping, Table, select, text

from core import clock, tables
from core.database import Database
from core.ledger import jobs
from core.vocabulary import BatchState, JobState, Reason
from tests.core.ledger_model import ATTEMPTS, OPEN, TICK, BatchModel, JobModel, LedgerModel

_ENDED = (BatchState.DONE, BatchState.QUARANTINED)
_OF_IMAGES = (tables.predictions, tables.rejections, tables.confusion, tables.shadow_predictions)
_COUNTS = ("scored", "rejected", "quarantined", "labelled", "correct")


@dataclass
class Ledger:
    """All that the tables hold, read at one moment."""

    now: Any
    jobs: dict[int, RowMapping]
    batches: dict[int, RowMapping]
    summary: dict[int, RowMapping]
    #: By table and batch.
    of_images: dict[Table, dict[int, list[RowMapping]]]

    def of_job(self, job_id: int) -> list[RowMapping]:
        return [row for row in self.batches.values() if row["job_id"] == job_id]


def read(database: Database) -> Ledger:
    """Look at all tables."""
    with database.read() as connection:
        now = connection.execute(select(clock.now())).scalar_one()
        of_images = {}
        for table in _OF_IMAGES:
            found = connection.execute(select(table).order_by(table.c.batch_id)).mappings()
            of_images[table] = {key: list(rows) for key, rows in groupby(found, lambda row: row["batch_id"])}
        ledger = {table: connection.execute(select(table)).mappings().all() for table in (tables.jobs, tables.batches)}
        summary = connection.execute(text("SELECT * FROM job_summary")).mappings().all()
    of_jobs, of_batches = ({row["id"]: row for row in found} for found in ledger.values())
    return Ledger(now, of_jobs, of_batches, {row["job_id"]: row for row in summary}, of_images)


def check(database: Database, model: LedgerModel) -> None:
    """Assert that the tables are sound, and that they are what the model says."""
    ledger = read(database)
    for batch in ledger.batches.values():
        _check_batch(ledger, batch)
    tokens = [row["lease_token"] for row in ledger.batches.values() if row["lease_token"] is not None]
    assert len(set(tokens)) == len(tokens)
    for job in ledger.jobs.values():
        _check_job(ledger, job)
    assert set(ledger.jobs) == {job.id for job in model.jobs}
    assert set(ledger.batches) == {batch.id for batch in model.batches}
    for expected in model.jobs:
        _compare_job(ledger.jobs[expected.id], expected)
    for planned in model.batches:
        _compare_batch(ledger, ledger.batches[planned.id], planned, model.now)


def check_verbs(database: Database, model: LedgerModel) -> None:
    """Assert that the ledger's own verbs say of the jobs what the tables say."""
    ledger = read(database)
    listed = {job.id: job for job in jobs.newest(database, len(ledger.jobs) + 1)}
    assert set(listed) == set(ledger.jobs) == set(ledger.summary)
    for job in listed.values():
        summary, accounts = ledger.summary[job.id], job.accounts
        names = ("state", "found", "scored", "rejected", "quarantined", "open", "labelled", "correct")
        told = (job.state, accounts.found, accounts.scored, accounts.rejected, accounts.quarantined, accounts.open)
        assert (*told, job.labelled, job.correct) == tuple(summary[name] for name in names)
    assert jobs.ended_unbalanced(database) == []
    assert [job.id for job in jobs.unfiled(database)] == [job.id for job in model.jobs if job.unfiled]


def _check_batch(ledger: Ledger, batch: RowMapping) -> None:
    """A batch that has ended has one row an image and the counts of these rows; any other has none."""
    predictions, rejections, confusion, shadows = (ledger.of_images[table].get(batch["id"], []) for table in _OF_IMAGES)
    state = BatchState(batch["state"])
    positions = [row["position"] for row in (*predictions, *rejections)]
    assert sorted(positions) == (list(range(batch["size"])) if state in _ENDED else [])
    for row in (*predictions, *rejections):
        assert row["path"] == batch["manifest"]["paths"][row["position"]]
        labels = batch["manifest"]["true_labels"]
        assert row["true_label"] == (labels and labels[row["position"]])
    quarantined = sum(row["reason"] == Reason.QUARANTINED for row in rejections)
    labelled = [row for row in predictions if row["label"] is not None and row["true_label"] is not None]
    correct = sum(row["label"] == row["true_label"] for row in labelled)
    counts = (len(predictions), len(rejections) - quarantined, quarantined, len(labelled), correct)
    assert tuple(batch[name] for name in _COUNTS) == counts
    read_as = [(row["true_label"], row["label"]) for row in predictions]
    read_as += [(row["true_label"], None) for row in rejections]
    cells = Counter(pair for pair in read_as if pair[0] is not None)
    assert {(row["actual"], row["predicted"]): row["count"] for row in confusion} == cells
    assert len(confusion) == len(cells)
    assert {row["position"] for row in shadows} <= {row["position"] for row in predictions if row["label"] is not None}
    assert state is not BatchState.QUARANTINED or quarantined == batch["size"]
    assert 0 <= batch["attempts"] <= ATTEMPTS
    leased = state is BatchState.LEASED
    assert (batch["lease_token"] is not None, batch["lease_until"] is not None) == (leased, leased)
    assert batch["attempts"] > 0 or not leased


def _check_job(ledger: Ledger, job: RowMapping) -> None:
    """found = scored + rejected + quarantined + open; it has ended as its batches have."""
    of_job = ledger.of_job(job["id"])
    totals = {name: sum(row[name] for row in of_job) for name in _COUNTS}
    still_open = sum(row["size"] for row in of_job if BatchState(row["state"]) not in _ENDED)
    assert job["found"] == totals["scored"] + totals["rejected"] + totals["quarantined"] + still_open
    state, states = JobState(job["state"]), {BatchState(row["state"]) for row in of_job}
    assert (job["finished_at"] is not None) == state.ended
    assert job["paused_at"] is None or not state.ended
    assert BatchState.CANCELLED not in states or state is JobState.CANCELLED
    assert state is not JobState.CANCELLED or not states & set(OPEN)
    if of_job and state is not JobState.CANCELLED:
        assert state.ended == (states <= set(_ENDED))
    if state in (JobState.DONE, JobState.FAILED):
        assert (still_open, state is JobState.DONE) == (0, totals["scored"] > 0)
    assert BatchState.LEASED not in states or state is JobState.RUNNING
    spoken = state in (JobState.FAILED, JobState.CANCELLED) or job["paused_at"] is not None
    assert (job["error"] is not None) == spoken
    assert job["paused_by"] is None or job["paused_at"] is not None
    summary = ledger.summary[job["id"]]
    assert {name: summary[name] for name in _COUNTS} == totals
    shown = job["state"] if job["paused_at"] is None else "paused"
    assert (summary["state"], summary["found"], summary["open"]) == (shown, job["found"], still_open)


def _compare_job(row: RowMapping, expected: JobModel) -> None:
    told = (row["state"], row["paused_at"] is not None, row["started_at"] is not None, row["claim"], row["source"])
    assert told == (expected.state, expected.paused, expected.started, expected.claim, expected.source)
    assert (row["found"], row["batch_count"]) == (expected.found, len(expected.batches))
    assert row["options"]["max_rejected"] == expected.budget
    assert (row["paused_by"] is not None, row["priority"]) == (expected.by_hand, expected.priority)


def _compare_batch(ledger: Ledger, row: RowMapping, expected: BatchModel, now: float) -> None:
    told = (row["state"], row["attempts"], row["lease_token"], row["size"], row["sequence"])
    assert told == (expected.state, expected.attempts, expected.token, expected.size, expected.sequence)
    assert row["unsent"] == expected.unsent
    assert _same_moment(row["sent_at"], ledger, expected.sent - now)
    if expected.until is not None:
        assert _same_moment(row["lease_until"], ledger, expected.until - now)
    reads: dict[int, object] = {}
    for image in ledger.of_images[tables.predictions].get(row["id"], []):
        reads[image["position"]] = image["string"] if image["label"] is None else image["label"]
    for image in ledger.of_images[tables.rejections].get(row["id"], []):
        reads[image["position"]] = Reason(image["reason"])
    assert reads == dict(enumerate(expected.reads))


def _same_moment(moment: Any, ledger: Ledger, ticks: float) -> bool:
    """True where a moment lies as many ticks after now as it should, but for the time that the test itself takes."""
    return abs((moment - ledger.now).total_seconds() / TICK - ticks) < 0.25
