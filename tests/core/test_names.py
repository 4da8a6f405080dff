"""File names of whatever bytes come back as they were, from the manifest, the predictions and the rejections."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import sources
from core.database import Database
from core.errors import SourceNotFound
from core.ledger import batches, jobs, results, sweeps
from core.vocabulary import Batch, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import MAX_ATTEMPTS, exhaust, outcome, register_model, take

#: What a folder of a real disk may hold; each is one name of at most 255 bytes.
NAMES = {
    "not UTF-8": b"caf\xe9.png",
    "every byte that is no ASCII": bytes(range(0x80, 0x100)) + b".png",
    "half a character": b"\xe2\x82.png",
    "newline": b"two\nlines\r.png",
    "other control characters": b"\x01\x07\x1b[31m\x7f\t.png",
    "right to left": "שלום\u202egnp.exe".encode(),
    "255 bytes": b"x" * 251 + b".png",
    "255 bytes that are no UTF-8": b"\xff" * 251 + b".png",
    "four bytes a character": "\U0001d7db\U0001f44d.png".encode(),
    "the private characters that stand for bytes": "\uf780\uf7ff\uf7ef.png".encode(),
    "a private character beside a byte": "\uf7e9".encode() + b"\xe9.png",
    "a decomposed accent": "e\u0301.png".encode(),
    "quotes and wildcards": b"'\"%_\\;--{}$1 ?.png",
    "spaces at both ends": b" a.png ",
}


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """The paths of files that have such names on this disk, as a listing gives them."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in NAMES.values():
        (folder / os.fsdecode(name)).write_bytes(b"")
    listed = os.listdir(folder)
    assert {os.fsencode(name) for name in listed} == set(NAMES.values())
    return [f"sub/{name}" for name in sorted(listed)]


def job_of(paths: list[str], *, name: str = "n", claim: str | None = None) -> NewJob:
    manifest = Manifest(paths, [3] * len(paths))
    return NewJob(name, "file:///scans", [manifest], QueueName.EXPRESS, Trigger.INBOX, claim=claim)


def new_batch(database: Database, paths: list[str]) -> Batch:
    register_model(database)
    return batches.of_job(database, jobs.create(database, job_of(paths)).id)[0]


def test_any_name_round_trips_through_manifest_and_predictions(database: Database, paths: list[str]) -> None:
    lease = take(database, new_batch(database, paths))
    assert list(lease.manifest.paths) == paths
    batches.finish(database, lease, outcome(lease, labels=[3] * len(paths)))
    scored = [result.path for result in results.of_job(database, lease.batch.job_id)]
    assert scored == paths
    assert {os.fsencode(path) for path in scored} == {b"sub/" + name for name in NAMES.values()}


def test_any_name_round_trips_through_rejections_and_their_sentences(database: Database, paths: list[str]) -> None:
    lease = take(database, new_batch(database, paths))
    batches.finish(database, lease, outcome(lease, labels=[None] * len(paths)))
    rejected = [(result.path, result.message) for result in results.of_job(database, lease.batch.job_id)]
    assert rejected == [(path, f"{path} ends early") for path in paths]


def test_any_name_round_trips_through_the_quarantine(database: Database, paths: list[str]) -> None:
    batch = new_batch(database, paths)
    exhaust(database, batch)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    assert [result.path for result in results.of_job(database, batch.job_id)] == paths


def test_an_error_that_names_such_files_is_kept(database: Database, paths: list[str]) -> None:
    batch = new_batch(database, paths)
    error = f"cannot read {' and '.join(paths)}"
    for _ in range(MAX_ATTEMPTS):
        batches.release(database, take(database, batch), error)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    assert {str(result.message).endswith(error) for result in results.of_job(database, batch.job_id)} == {True}


def test_a_job_may_have_any_name_and_be_made_of_any_drop(database: Database, paths: list[str]) -> None:
    register_model(database)
    for path in paths:
        job = jobs.create(database, job_of(["a.png"], name=path, claim=path))
        assert (job.name, job.claim) == (path, path)
        assert jobs.find(database, path) == jobs.of_claim(database, path) == job
        assert batches.of_job(database, job.id)[0].job_name == path
    assert jobs.claims_with_a_job(database, [*paths, "other"]) == set(paths)


def test_any_folder_round_trips_through_its_url_and_the_ledger(
    database: Database, paths: list[str], tmp_path: Path
) -> None:
    register_model(database)
    for path in paths:
        url = sources.to_url(tmp_path / path)
        assert url.isascii()
        assert url.isprintable()
        new = NewJob("n", url, [Manifest(["a.png"])], QueueName.EXPRESS, Trigger.CLI)
        assert sources.to_path(jobs.create(database, new).source) == tmp_path / path


@pytest.mark.parametrize("url", ["s3://bucket/scans", "https://example.org/a", "file://host/a", "scans", ""])
def test_a_url_that_is_no_folder_of_this_host_is_refused(url: str) -> None:
    with pytest.raises(SourceNotFound, match="is no folder of this host"):
        sources.to_path(url)
