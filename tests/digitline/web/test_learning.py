"""Learning and models over the web: what was said, what may be taken along, and where two models differ."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from classifier.artifact import model_sha256, shipped_model
from core import tables
from core.ledger import batches, corrections, models
from core.ledger.corrections import Word
from core.vocabulary import Job
from digitline.setup import register_folder
from tests.digitline.web.conftest import Scored, Site
from tests.digits import loose_digits
from tests.waiting import wait_until

#: Builds a model folder whose untrained weights come from a seed.
MakeModel = Callable[[int], Path]


@pytest.fixture
def job(scored: Scored, site: Site, tmp_path: Path) -> Job:
    """A job of four images, of which people have spoken of three."""
    files = sorted(file.name for file in loose_digits(tmp_path / "scans", 4))
    found = scored(tmp_path / "scans", {name: place for place, name in enumerate(files)})
    for name, word, by in zip(files, ("7", "7", "not_a_digit"), ("ada", "bob", "ada"), strict=False):
        corrections.record(site.database, found.id, name, Word.of(word), by=by)
    return found


def test_what_was_said_is_counted_by_class_reviewer_and_job(site: Site, job: Job) -> None:
    text = " ".join(unescape(site.client.get("/learn").text).split())
    assert "<b>3</b><span>images reviewed" in text
    assert '<td>ada</td><td class="number">2</td>' in text
    assert f'href="/learn?job={job.id}"' in text
    assert f"--with-corrections --job {job.id}" in site.client.get(f"/learn?job={job.id}").text


def test_where_nobody_has_spoken_the_page_says_how_to_begin(site: Site) -> None:
    assert "Nobody has reviewed an image" in site.client.get("/learn").text


def test_class_folders_come_as_an_archive_that_names_what_is_missing(site: Site, job: Job, tmp_path: Path) -> None:
    files = sorted(file.name for file in (tmp_path / "scans").iterdir())
    (tmp_path / "scans" / files[1]).unlink()
    answer = site.client.get(f"/learn/corrections.zip?job={job.id}")
    assert answer.headers["content-disposition"] == f'attachment; filename="corrections-job-{job.id}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == [f"7/{files[0]}", "missing.txt", f"not_a_digit/{files[2]}"]
        assert archive.read(f"7/{files[0]}") == (tmp_path / "scans" / files[0]).read_bytes()
        assert archive.read("missing.txt").startswith(files[1].encode())


def test_the_table_and_the_tasks_come_as_by_the_command_line(site: Site, job: Job) -> None:
    table = site.client.get("/learn/corrections.csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["label"], row["reviewed_by"]) for row in rows] == [("7", "ada"), ("7", "bob")]
    tasks = json.loads(site.client.get(f"/learn/corrections.json?job={job.id}").text)
    assert len(tasks) == 3
    assert site.client.get("/learn/corrections.xml").status_code == 400


@pytest.fixture
def other(site: Site, job: Job, make_model: MakeModel) -> int:
    """A second model, which has learnt nothing; the first one becomes the shipped one as it really is."""
    assert job.model == "shipped"
    with site.database.begin() as connection:
        connection.execute(update(tables.models).values(sha256=model_sha256(shipped_model())))
    return register_folder(site.database, make_model(4), site.settings).id


def test_models_are_listed_with_their_aliases_and_what_allowed_them(site: Site, other: int) -> None:
    text = site.client.get("/models").text
    assert ">production<" in text
    assert f'<option value="{other}">' in text
    assert "first" in text
    card = site.client.get(f"/models/{other}").text
    assert "no reviewed image" in card
    assert site.client.get("/models/99").status_code == 404


@pytest.mark.parametrize("card", [{}, {"test": 1, "fast": {}, "careful": [{}, 7], "corrections": "all"}])
def test_of_a_card_is_shown_what_it_has(site: Site, card: dict[str, object]) -> None:
    found = models.register(site.database, name="bare", sha256="7" * 64, location="/nowhere", card=card)
    assert "no reviewed image" in site.client.get(f"/models/{found.id}").text
    assert "bare" in site.client.get("/models").text


def test_two_models_are_compared_by_the_shadow_with_the_images_they_differ_on(site: Site, job: Job, other: int) -> None:
    batch = batches.of_job(site.database, job.id)[0].id
    rows = [
        {"batch_id": batch, "position": place, "model_id": other, "label": label, "confidence": 0.9}
        for place, label in enumerate((7, 7, 2, 3))
    ]
    with site.database.begin() as connection:
        connection.execute(insert(tables.shadow_predictions), rows)
    text = " ".join(site.client.get(f"/models/compare?model={other}&job={job.id}").text.split())
    assert "<b>50.00%</b><span>read alike" in text
    # People said that the first two are sevens, as only the challenger reads them.
    assert "<b>100.00%</b><span>right: model-4" in text
    assert f"/review?images={batch}-0,{batch}-1" in text
    assert f'src="/images/{batch}/0/original.png' in text


@pytest.mark.timeout(180)
def test_two_models_read_the_reviewed_images_anew(site: Site, job: Job, other: int) -> None:
    address = f"/models/compare?model={other}&on=corrections&job={job.id}"
    assert "Both models read the reviewed images" in site.client.get(address).text

    def compared() -> str | None:
        text = site.client.get(address, headers={"HX-Request": "true"}).text
        return None if 'role="status"' in text else text

    text = " ".join(wait_until(compared, "both models have read them", 120).split())
    assert "<b>2</b><span>images compared" in text


def test_a_comparison_that_makes_no_sense_is_refused(site: Site, other: int) -> None:
    assert site.client.get(f"/models/compare?model={other}&on=luck").status_code == 400
    assert site.client.get("/models/compare?model=99").status_code == 404
