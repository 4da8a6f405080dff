"""What people said of images, by the command line: said, taken back, listed, and taken along in three forms."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from urllib.parse import unquote

import pytest

from core.database import Database
from core.ledger import batches, jobs
from core.sources import to_url
from core.vocabulary import Job, Labels, Manifest, NewJob, QueueName, Trigger
from scheduler.folder import list_files, true_labels
from tests.core.examples import outcome, register_model, take
from tests.digitline.conftest import Digitline

NAMES = ["a/one.png", "a/two.png", "b/one.png", "b/One.png", "b/nine,\n.png"]


def job_of(ledger: Database, folder: Path, names: list[str]) -> Job:
    """A job of files whose bytes are their names, scored as 0, 1, 2 and so on."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
    register_model(ledger)
    new = NewJob("scans", to_url(folder), [Manifest(names)], QueueName.EXPRESS, Trigger.SCRIPT)
    job = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    found = outcome(lease)
    scored = [one._replace(sha256=hashlib.sha256(os.fsencode(one.path)).hexdigest()) for one in found.predictions]
    batches.finish(ledger, lease, dataclasses.replace(found, predictions=scored))
    return job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the job."""
    return tmp_path / "scans"


@pytest.fixture
def job(ledger: Database, folder: Path) -> Job:
    """A job of `NAMES`."""
    return job_of(ledger, folder, NAMES)


@pytest.fixture
def reviewed(digitline: Digitline, job: Job) -> Job:
    """The job, every image of which was spoken of."""
    for name, word in zip(NAMES, ("7", "not_a_digit", "7", "7", "1947"), strict=True):
        assert digitline("correct", str(job.id), name, word, "--by", "ada").code == 0
    return job


def test_a_word_may_be_a_digit_none_several_or_a_string(digitline: Digitline, job: Job) -> None:
    said = [digitline("correct", str(job.id), NAMES[1], word).out for word in ("7", "not_a_digit", "several", "19")]
    assert [line.partition(" shows ")[2] for line in said] == [
        "7, not 1.\n",
        "no digit, not 7.\n",
        "several digits.\n",
        "19.\n",
    ]
    told = json.loads(digitline("correct", str(job.id), NAMES[1], "5", "--json").out)
    assert told == {"job": job.id, "path": NAMES[1], "old_label": None, "new_label": 5, "word": "5"}
    assert "'ten' is no digit" in digitline("correct", str(job.id), NAMES[1], "ten").err


def test_a_word_is_taken_back(digitline: Digitline, job: Job) -> None:
    digitline("correct", str(job.id), NAMES[0], "7")
    assert (
        digitline("correct", str(job.id), NAMES[0], "--undo").out == f"Taken back: a/one.png of job {job.id} shows 7.\n"
    )
    assert digitline("correct", str(job.id), NAMES[0], "--undo").out.startswith("Nobody has said anything")
    assert digitline("correct", str(job.id), NAMES[0]).code == 2
    assert digitline("correct", str(job.id), NAMES[0], "7", "--undo").code == 2


def test_an_image_that_a_job_does_not_have_cannot_be_corrected(digitline: Digitline, job: Job) -> None:
    ended = digitline("correct", str(job.id), "a/none.png", "4")
    assert (ended.code, "no image 'a/none.png'" in ended.err) == (1, True)


def test_results_show_what_people_said_at_once(digitline: Digitline, reviewed: Job) -> None:
    found = [json.loads(line) for line in digitline("results", str(reviewed.id), "--format", "json").out.splitlines()]
    assert [(one["true_label"], one["review"]) for one in found] == [
        (7, "7"),
        (None, "not_a_digit"),
        (7, "7"),
        (7, "7"),
        (None, "1947"),
    ]
    told = digitline("status", str(reviewed.id)).out
    assert "of the reviewed images alone, which are the least certain ones" in told
    assert "*" in digitline("status").out


def test_corrections_are_listed_and_counted(digitline: Digitline, reviewed: Job) -> None:
    listed = digitline("corrections", "list", str(reviewed.id)).out
    assert all(part in listed for part in ("7 3", "not_a_digit 1", "several 1"))
    assert "ada 5" in listed
    lines = digitline("corrections", "list", "--all", "--json").out.splitlines()
    assert [json.loads(line)["word"] for line in lines] == ["7", "not_a_digit", "7", "7", "1947"]


def test_class_folders_hold_the_files_under_names_of_their_own(
    digitline: Digitline, reviewed: Job, tmp_path: Path
) -> None:
    ended = digitline("corrections", "export", str(reviewed.id), "--output", "out")
    assert (ended.code, ended.err) == (0, "5 images exported.\n")
    out = tmp_path / "out"
    files = {file.relative_to(out).as_posix(): file.read_text() for file in out.rglob("*") if file.is_file()}
    assert files == {
        "7/one.png": "a/one.png",
        "7/one-2.png": "b/one.png",
        "7/One-3.png": "b/One.png",
        "not_a_digit/two.png": "a/two.png",
        "several/nine,\n.png": "b/nine,\n.png",
    }
    assert "not empty" in digitline("corrections", "export", "--all", "--output", "out").err


def test_files_that_are_gone_or_have_changed_are_named_and_the_exit_code_says_so(
    digitline: Digitline, reviewed: Job, folder: Path, tmp_path: Path
) -> None:
    (folder / NAMES[0]).unlink()
    (folder / NAMES[2]).write_bytes(b"another")
    ended = digitline("corrections", "export", str(reviewed.id), "--output", "out", "--json")
    assert ended.code == 1
    told = json.loads(ended.err)
    assert [one["path"] for one in told["missing"]] == [NAMES[0], NAMES[2]]
    assert told["missing"][1]["why"] == "The file has changed since it was scored."
    assert (told["images"], told["by_class"]) == (3, {"not_a_digit": 1, "7": 1, "several": 1})
    assert not (tmp_path / "out" / "7" / "one.png").exists()


def test_the_table_is_a_labels_csv_of_the_folder(digitline: Digitline, reviewed: Job, folder: Path) -> None:
    ended = digitline(
        "corrections", "export", str(reviewed.id), "--format", "csv", "--output", str(folder / "labels.csv")
    )
    assert ended.code == 0
    assert "2 show no single digit" in ended.err
    with (folder / "labels.csv").open(newline="") as stream:
        assert next(csv.reader(stream))[:2] == ["path", "label"]
    known = true_labels(folder, list_files(folder), Labels.CSV)
    assert known is not None
    found = dict(zip(list_files(folder), known, strict=True))
    assert {name: found.get(name) for name in NAMES} == {
        "a/one.png": 7,
        "a/two.png": None,
        "b/one.png": 7,
        "b/One.png": 7,
        "b/nine,\n.png": None,
    }


@pytest.mark.parametrize("name", ["scän.png", "a b\udcff.png"])
def test_label_studio_gets_what_was_read_and_what_was_said(
    digitline: Digitline, ledger: Database, folder: Path, name: str
) -> None:
    job = job_of(ledger, folder, [name])
    digitline("correct", str(job.id), name, "1947", "--by", "ada")
    exported = digitline("corrections", "export", "--all", "--format", "label-studio", "--output", "tasks.json")
    assert exported.code == 0, exported.err
    (task,) = json.loads(Path("tasks.json").read_text())
    assert unquote(task["data"]["image"], errors="surrogateescape") == f"/data/local-files/?d={str(folder)[1:]}/{name}"
    (annotation,), (prediction,) = task["annotations"], task["predictions"]
    assert [(one["from_name"], one["to_name"], one["type"], one["value"]) for one in annotation["result"]] == [
        ("digit", "image", "choices", {"choices": ["several"]}),
        ("string", "image", "textarea", {"text": ["1947"]}),
    ]
    assert prediction["result"][0]["value"] == {"choices": ["0"]}
    assert (prediction["model_version"], prediction["score"]) == ("small", 0.75)


def test_of_a_file_that_two_jobs_hold_the_last_word_counts(
    digitline: Digitline, reviewed: Job, ledger: Database, folder: Path
) -> None:
    again = job_of(ledger, folder, NAMES[:1])
    assert again.id > reviewed.id
    digitline("correct", str(again.id), NAMES[0], "3")
    digitline("corrections", "export", "--all", "--output", "out")
    assert Path("out/3/one.png").exists()
    assert Path("out/7/one.png").read_text() == "b/one.png"


def test_an_export_names_a_job_or_all_of_them_and_a_place(digitline: Digitline, job: Job) -> None:
    assert digitline("corrections", "export").code == 2
    assert digitline("corrections", "export", str(job.id), "--all").code == 2
    assert digitline("corrections", "export", str(job.id)).code == 2
    assert digitline("corrections", "export", str(job.id), "--format", "label-studio").out == "[]\n"
