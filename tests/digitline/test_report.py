"""The page about a job: whole, harmless, and honest about what is missing."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.database import Database
from core.errors import DigitlineError
from core.ledger import batches, jobs, sweeps
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, Outcome, Prediction, QueueName, Reason, Rejection, Trigger, Verdict
from digitline.report import write_report
from tests.core.examples import create_job, exhaust, outcome, register_model, rejection, score, take
from tests.digits import digit_folder, string_picture

pytestmark = pytest.mark.usefixtures("home")

_HOSTILE = "<script>alert('x')</script>\n\x1b[31m\udcff.png"


class _Page(HTMLParser):
    """The elements of a page and the places they load from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def _report(database: Database, job: Job, tmp_path: Path) -> str:
    return write_report(database, jobs.get(database, job.id), tmp_path / "report.html").read_text(encoding="utf-8")


def _scored_folder(database: Database, folder: Path, *, labelled: bool) -> Job:
    """Score real digits: the first is read wrong, the others as they are."""
    paths = sorted(path.relative_to(folder).as_posix() for path in digit_folder(folder, 6).rglob("*.png"))
    labels = [int(path[0]) for path in paths] if labelled else None
    register_model(database)
    manifest = Manifest(paths, labels)
    job = jobs.create(database, NewJob("scans", to_url(folder), [manifest], QueueName.BULK, Trigger.CLI))
    lease = take(database, batches.of_job(database, job.id)[0])
    predictions = [
        Prediction(
            place,
            path,
            _sha256(folder / path),
            9 if place == 0 else int(path[0]),
            0.9,
            0.5,
            Verdict.DIGIT,
            manifest.true_label(place),
        )
        for place, path in enumerate(paths)
    ]
    confusion = outcome(lease, labels=[prediction.label for prediction in predictions]).confusion
    batches.finish(database, lease, Outcome(predictions, [], confusion, {"read": 0.25, "predict": 0.5}))
    return job


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_page_loads_nothing_from_anywhere(ledger: Database, tmp_path: Path) -> None:
    page = _Page(_report(ledger, _scored_folder(ledger, tmp_path / "scans", labelled=True), tmp_path))
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not {"script", "link", "iframe", "object"} & set(page.elements)


def test_a_page_shows_accounts_scores_mistakes_and_the_model(ledger: Database, tmp_path: Path) -> None:
    page = _report(ledger, _scored_folder(ledger, tmp_path / "scans", labelled=True), tmp_path)
    assert "83.33%" in page
    assert "The worst mistakes" in page
    assert page.count("read as 9") == 1
    assert page.count('alt="What the network saw."') == 1
    assert "Confusion matrix" in page
    assert "read 0.25 s, predict 0.50 s" in page
    assert "small" in page


def test_without_true_labels_the_least_certain_images_are_shown(ledger: Database, tmp_path: Path) -> None:
    page = _report(ledger, _scored_folder(ledger, tmp_path / "scans", labelled=False), tmp_path)
    assert "The least certain images" in page
    assert page.count('alt="What the network saw."') == 6
    assert "macro F1" not in page
    assert "Confusion matrix" not in page


def test_a_picture_that_is_gone_or_has_changed_is_noted(ledger: Database, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    job = _scored_folder(ledger, folder, labelled=False)
    first, second, *_ = sorted(folder.rglob("*.png"))
    second.replace(first)
    page = _report(ledger, job, tmp_path)
    assert page.count("No picture: There is no such file.") == 1
    assert page.count("The file has changed since it was scored.") == 1


def test_a_folder_that_is_gone_leaves_a_page_without_pictures(ledger: Database, tmp_path: Path) -> None:
    page = _report(ledger, _job_of(ledger, ["a.png"], source="gs://bucket/scans"), tmp_path)
    assert "No picture: gs://bucket/scans is no folder of this host." in page


def test_hostile_names_stay_text(ledger: Database, tmp_path: Path) -> None:
    job = _job_of(ledger, [_HOSTILE], rejected=[_HOSTILE], name=f"job {_HOSTILE}")
    page = _report(ledger, job, tmp_path)
    assert "script" not in _Page(page).elements
    assert "\x1b" not in page
    assert page.count(r"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\n\x1b[31m\udcff.png") == 5


def test_rejected_images_are_listed_with_reasons(ledger: Database, tmp_path: Path) -> None:
    page = _report(ledger, _job_of(ledger, [], rejected=["torn.png"]), tmp_path)
    assert re.search(r"<td>torn\.png</td><td>torn\.png ends early</td>", page)
    assert re.search(r'<td>truncated</td><td class="number">1</td>', page)
    assert "No image has been scored" in page


def test_what_was_seen_and_turned_away_is_shown_with_the_command_for_every_step(
    ledger: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "my scans"
    string_picture(folder / "string.png", [0, 1, 2])
    register_model(ledger)
    new = NewJob("s", to_url(folder), [Manifest(["string.png", "torn.png"])], QueueName.BULK, Trigger.CLI)
    job = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    batches.finish(ledger, lease, Outcome([], [rejection(lease, 0, Reason.SEVERAL), rejection(lease, 1)], []))
    page = _report(ledger, job, tmp_path)
    assert page.count('alt="The last step before it was turned away."') == 1
    assert f"digitline explain &#39;{folder}/&#39;PATH</code>" in page
    assert "<b>1</b><span>several</span>" in page
    assert "<b>0</b><span>not a digit</span>" in page


def test_a_string_is_shown_as_it_came(ledger: Database, tmp_path: Path) -> None:
    said = string_picture(tmp_path / "scans" / "string.png", [0, 1, 2])
    register_model(ledger)
    new = NewJob("s", to_url(tmp_path / "scans"), [Manifest(["string.png"])], QueueName.BULK, Trigger.CLI, split=True)
    job = jobs.create(ledger, new)
    score(ledger, job, [[said]])
    page = _report(ledger, job, tmp_path)
    assert f"read as <b>{said}</b>" in page
    assert page.count('alt="The image as it came."') == 1
    assert 'alt="What the network saw."' not in page
    assert "/PATH --split</code>" in page


def test_a_job_that_waits_has_a_page_that_says_so(ledger: Database, tmp_path: Path) -> None:
    page = _report(ledger, create_job(ledger), tmp_path)
    assert "The job is queued: this page shows what there is so far." in page
    assert "No image has been scored yet." in page


def test_quarantined_images_are_in_the_accounts_and_in_the_list(ledger: Database, tmp_path: Path) -> None:
    job = create_job(ledger, [2, 2], labelled=True)
    exhaust(ledger, batches.of_job(ledger, job.id)[0])
    sweeps.quarantine_exhausted(ledger, 3)
    score_rest = take(ledger, batches.of_job(ledger, job.id)[1])
    batches.finish(ledger, score_rest, outcome(score_rest))
    page = _report(ledger, job, tmp_path)
    assert "<b>2</b><span>quarantined</span>" in page
    assert "given up after 3 attempts" in page


def test_a_page_that_cannot_be_written_is_named(ledger: Database, tmp_path: Path) -> None:
    job = create_job(ledger)
    score(ledger, job)
    with pytest.raises(DigitlineError, match=r"no/page\.html cannot be written"):
        write_report(ledger, jobs.get(ledger, job.id), tmp_path / "no" / "page.html")


def _job_of(
    database: Database,
    scored: list[str],
    *,
    rejected: list[str] | None = None,
    name: str = "scans",
    source: str = "file:///nowhere",
) -> Job:
    """A job that has ended, of images that are nowhere."""
    refused = rejected or []
    register_model(database)
    manifest = Manifest([*scored, *refused])
    job = jobs.create(database, NewJob(name, source, [manifest], QueueName.BULK, Trigger.CLI))
    lease = take(database, batches.of_job(database, job.id)[0])
    predictions = [
        Prediction(place, path, "0" * 64, 1, 0.5, 0.1, Verdict.UNCERTAIN) for place, path in enumerate(scored)
    ]
    rejections = [
        Rejection(len(scored) + place, path, Reason.TRUNCATED, f"{path} ends early")
        for place, path in enumerate(refused)
    ]
    batches.finish(database, lease, Outcome(predictions, rejections, []))
    return job
