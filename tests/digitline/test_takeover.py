"""What people said elsewhere comes back: from Label Studio or a table, once, with who and when, or by its line refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import delete

from core import tables
from core.database import Database
from core.ledger import batches, jobs
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import outcome, register_model, take
from tests.digitline.conftest import Digitline

NAMES = ["a/one.png", "a/two.png", "b/one.png", "b/One.png", "b/nine,\n.png"]


def digest(name: str) -> str:
    """SHA-256 of a file whose bytes are its name."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def job_of(ledger: Database, folder: Path, names: list[str]) -> Job:
    """A job of such files, scored as 0, 1, 2 and so on."""
    register_model(ledger)
    new = NewJob("scans", to_url(folder), [Manifest(names)], QueueName.EXPRESS, Trigger.SCRIPT)
    job = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    found = outcome(lease)
    scored = [one._replace(sha256=digest(one.path)) for one in found.predictions]
    batches.finish(ledger, lease, dataclasses.replace(found, predictions=scored))
    return job


@pytest.fixture
def job(ledger: Database, tmp_path: Path) -> Job:
    """A job of `NAMES`."""
    return job_of(ledger, tmp_path / "scans", NAMES)


def annotated(name: str, *choices: str, **more: object) -> dict[str, object]:
    """A task as Label Studio exports it."""
    result = [{"type": "choices", "from_name": "digit", "to_name": "image", "value": {"choices": [*choices]}}]
    made = {"completed_by": 7, "created_at": "2026-11-20T10:00:00.5Z", "was_cancelled": False, "result": result}
    data = {"path": name, "job": 1, "sha256": digest(name)}
    return {"id": 31, "data": data, "annotations": [{**made, **more}]}


def listed(digitline: Digitline) -> list[tuple[str, str, str, str]]:
    """What stands: path, word, by whom and when."""
    lines = map(json.loads, digitline("corrections", "list", "--all", "--json").out.splitlines())
    return [(one["path"], one["word"], one["reviewed_by"], one["reviewed_at"]) for one in lines]


@pytest.mark.usefixtures("job")
def test_what_label_studio_exports_comes_back_with_who_and_when(digitline: Digitline) -> None:
    ada = {"completed_by": {"id": 3, "email": "ada@example.org"}, "updated_at": "2026-11-21T12:00:00+02:00"}
    string = {"type": "textarea", "from_name": "string", "to_name": "image", "value": {"text": ["1947"]}}
    tasks = [annotated(name, "7") for name in NAMES]
    tasks[1] = annotated(NAMES[1], "not_a_digit", **ada)
    tasks[2]["annotations"] += annotated(NAMES[2], "8", created_at="2026-11-22T10:00:00Z")["annotations"]
    tasks[2]["annotations"] += annotated(NAMES[2], "9", was_cancelled=True)["annotations"]
    tasks[3]["annotations"] = []
    tasks[4] = annotated(NAMES[4], "several")
    tasks[4]["annotations"][0]["result"].append(string)
    Path("export.json").write_text(json.dumps(tasks))
    for said in ("4 taken over, 0 known already", "0 taken over, 4 known already"):
        assert digitline("corrections", "import", "export.json").out.startswith(said)
        assert listed(digitline) == [
            (NAMES[0], "7", "user 7 of Label Studio", "2026-11-20T10:00:00.500000+00:00"),
            (NAMES[1], "not_a_digit", "ada@example.org", "2026-11-21T10:00:00+00:00"),
            (NAMES[2], "8", "user 7 of Label Studio", "2026-11-22T10:00:00+00:00"),
            (NAMES[4], "1947", "user 7 of Label Studio", "2026-11-20T10:00:00.500000+00:00"),
        ]


@pytest.mark.parametrize("form", ["csv", "label-studio"])
def test_what_was_exported_comes_back_as_it_was_to_a_ledger_that_knows_nothing_of_it(
    digitline: Digitline, ledger: Database, tmp_path: Path, form: str
) -> None:
    names = ["a/ä,\n\x0b.png", "b\udcff\r.png"]
    number = str(job_of(ledger, tmp_path / "scans", names).id)
    for name in names:
        digitline("correct", number, name, "7", "--by", "ada")
    before = listed(digitline)
    assert digitline("corrections", "export", number, "--format", form, "--output", "said").code == 0
    with ledger.begin() as connection:
        connection.execute(delete(tables.corrections))
    imported = digitline("corrections", "import", "said", "--json")
    assert json.loads(imported.out) == {"kept": 2, "known": 0, "older": 0}
    assert listed(digitline) == before


def test_what_was_said_here_since_stays_and_what_was_taken_back_stays_so(digitline: Digitline, job: Job) -> None:
    Path("export.json").write_text(json.dumps([annotated(name, "7") for name in NAMES[:2]]))
    digitline("correct", str(job.id), NAMES[0], "3", "--by", "bob")
    assert "1 taken over, 0 known already, 1 older" in digitline("corrections", "import", "export.json").out
    digitline("correct", str(job.id), NAMES[1], "--undo")
    assert "0 taken over, 1 known already, 1 older" in digitline("corrections", "import", "export.json").out
    assert [one[:3] for one in listed(digitline)] == [(NAMES[0], "3", "bob")]


def test_a_plain_table_is_said_by_whoever_brings_it(digitline: Digitline, job: Job) -> None:
    # As a spreadsheet writes it.
    Path("said.csv").write_text("\ufeffpath,label,reviewed_by\r\na/one.png, 4,\r\na/two.png,several,bob\r\n")
    assert digitline("corrections", "import", "said.csv", str(job.id), "--by", "ada").code == 0
    assert [one[:3] for one in listed(digitline)] == [("a/one.png", "4", "ada"), ("a/two.png", "several", "bob")]
    again = digitline("corrections", "import", "said.csv", str(job.id), "--by", "ada")
    assert again.out.startswith("0 taken over, 2 known already")


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is no JSON"),
        ('{"id": 1}', "is no list of tasks"),
        ('[{"id": 4, "digit": "7"}]', "task 4 is no task"),
        ("[7]", "task 1 is no task"),
        ("name,label\na.png,7\n", "line 1: the column 'path' is missing"),
        ("path,label\na/one.png,ten\n", "line 2: 'ten' is no digit"),
        ("path,label\na/one.png\n", "line 2 has no label"),
        ("path,label,job\na/one.png,7,first\n", "line 2: 'first' is no number of a job"),
        ("path,label\na/one.png,7\n", "line 2 has no job"),
        ("path,label,job\na/one.png,7,1\na/none.png,7,1\n", "line 3: job 1 has no image 'a/none.png'"),
        ("path,label,job\na/one.png,7,99\n", "line 2: job 99 has no image"),
        ("path,label,job,reviewed_at\na/one.png,7,1,monday\n", "line 2: 'monday' is no time"),
        ("path,label,job,sha256\na/one.png,7,1,5555\n", "line 2: what was judged is another image"),
        ('path,label,job\n"a/one.png,7,1\n', "after line 1: "),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_its_line_and_changes_nothing(
    digitline: Digitline, text: str, said: str
) -> None:
    Path("said").write_text(text)
    ended = digitline("corrections", "import", "said")
    assert ended.code == 1
    assert said in " ".join(ended.err.split())
    assert listed(digitline) == []


@pytest.mark.usefixtures("home")
def test_a_file_that_is_not_there_is_named(digitline: Digitline) -> None:
    assert "nowhere cannot be read" in digitline("corrections", "import", "nowhere").err
