"""What a job's page lets one take along: the same as the command line writes, wherever the images lie."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.objects import get_store
from core.vocabulary import Job
from tests.digitline.conftest import Digitline
from tests.digitline.web.conftest import Scored, Site
from tests.digits import loose_digits
from tests.servers import free_port
from tests.store import Bucket


def test_downloads_are_what_the_command_line_writes(
    site: Site, mixed: Job, digitline: Digitline, tmp_path: Path
) -> None:
    for form in ("csv", "json"):
        file = tmp_path / form
        assert digitline("results", str(mixed.id), "--format", form, "--output", str(file)).code == 0
        answer = site.client.get(f"/jobs/{mixed.id}/results.{form}")
        assert answer.content == file.read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="job-{mixed.id}.{form}"'
    table = pq.read_table(io.BytesIO(site.client.get(f"/jobs/{mixed.id}/results.parquet").content))
    assert table.num_rows == 12
    assert site.client.get(f"/jobs/{mixed.id}/results.xls").status_code == 400
    assert site.client.get("/jobs/9/results.csv").status_code == 404


def test_the_report_opens_and_can_run_nothing(site: Site, scored: Scored, tmp_path: Path) -> None:
    job = scored(tmp_path, {"a.png": 3, "b.png": None}, true=[3, 4])
    answer = site.client.get(f"/jobs/{job.id}/results.html")
    assert "<h1>scans" in answer.text
    assert "How it was made" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy


@pytest.fixture
def of_bucket(scored: Scored, bucket: Bucket, tmp_path: Path) -> Job:
    """A job whose images lie in a bucket: one is read wrong, one rejected, and one is not there any more."""
    folder = tmp_path / "scans"
    for number, path in enumerate(loose_digits(folder, 3)):
        path.rename(folder / f"{number}.png")
    (folder / "torn.png").write_bytes((folder / "0.png").read_bytes()[:90])
    bucket.put_folder(folder, "my scans/")
    read = {"0.png": 7, "1.png": 2, "2.png": 1, "gone.png": 4, "torn.png": None}
    return scored(folder, read, true=[7, 2, 4, 5, 6], source=bucket.prefix("my scans/"))


def test_a_job_of_object_storage_is_taken_along_as_one_of_a_folder(
    site: Site, of_bucket: Job, digitline: Digitline
) -> None:
    address = f"/jobs/{of_bucket.id}/results"
    for form in ("csv", "json"):
        assert (
            site.client.get(f"{address}.{form}").text == digitline("results", str(of_bucket.id), "--format", form).out
        )
    table = pq.read_table(io.BytesIO(site.client.get(f"{address}.parquet").content))
    assert table.column("path").to_pylist() == ["0.png", "1.png", "2.png", "gone.png", "torn.png"]
    assert table.column("label").to_pylist() == [7, 2, 1, 4, None]


def test_the_report_of_a_job_of_object_storage_has_its_pictures(site: Site, of_bucket: Job) -> None:
    report = site.client.get(f"/jobs/{of_bucket.id}/results.html").text
    assert report.count('alt="What the network saw."') == 1
    assert report.count("No picture: There is no such file.") == 1
    assert f"{of_bucket.source}</td>" in report
    assert "digitline explain COPY" in report


def test_the_pages_of_a_job_of_object_storage_show_its_images(site: Site, of_bucket: Job) -> None:
    assert f'<td class="path">{of_bucket.source}' in site.client.get(f"/jobs/{of_bucket.id}").text
    assert site.client.get("/images/1/0/original.png").headers["content-type"] == "image/png"
    assert site.client.get("/images/1/3/original.png").headers["location"].startswith("/static/no-picture.svg")
    assert "What every step made of it" in site.client.get("/images/1/0?explain=1").text


def test_a_store_that_is_away_leaves_a_report_without_pictures(
    site: Site, of_bucket: Job, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment(free_port()).items():
        monkeypatch.setenv(name, value)
    get_store.cache_clear()
    report = site.client.get(f"/jobs/{of_bucket.id}/results.html").text
    assert "No picture: " in report
    assert 'alt="What the network saw."' not in report
    assert "80.00%" not in report
    assert "50.00%" in report
