"""Batches whose images lie in a bucket: the same answers as from a folder, and whose fault it is where there is none."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from moto.core.authorization import enable_iam_authentication

from core import s3
from core.errors import SourceNotFound, SourceUnreadable, StoreUnreachable
from core.ledger import batches, jobs, results, sweeps
from core.ledger.results import Result
from core.objects import AT_ONCE, get_store
from core.sources import Prefix, Source
from core.vocabulary import Job, JobState, Labels, Reason, Trigger
from digitline.local import predict
from digitline.pictures import Album
from digitline.report import write_report
from scheduler.producer import plan
from tests.digits import digit_folder
from tests.proxy import Proxy
from tests.servers import free_port
from tests.store import KEY, SECRET, Bucket
from tests.worker.conftest import nobody, score_all
from worker.journey import Journey


def job_of(journey: Journey, source: Source, labels: Labels = Labels.AUTO) -> Job:
    asked = {"name": None, "labels": labels, "queue": None, "split": None, "claim": None}
    return jobs.create(journey.database, plan(journey.settings, source, **asked, triggered_by=Trigger.SCRIPT))


def refused(journey: Journey, job: Job) -> dict[str, Reason | None]:
    return {
        result.path: result.reason for result in results.of_job(journey.database, job.id) if result.status == "rejected"
    }


def seen(results: list[Result]) -> list[tuple[object, ...]]:
    """What is told of each image, but for ids."""
    return [(one.path, one.sha256, one.label, one.confidence, one.true_label, one.verdict) for one in results]


def test_the_answers_are_those_of_the_same_images_in_a_folder(journey: Journey, bucket: Bucket, tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 70)
    bucket.put_folder(folder, "digits/")
    bucket.put("digits-of-others/0/x.png")
    here, there = job_of(journey, folder), job_of(journey, bucket.prefix("digits/"))
    assert (there.name, there.source) == ("digits", f"s3://{bucket.name}/digits/")
    for job in (here, there):
        score_all(journey, job)
    of_folder, of_bucket = (list(results.of_job(journey.database, job.id)) for job in (here, there))
    assert seen(of_bucket) == seen(of_folder)
    ended = jobs.get(journey.database, there.id)
    assert (ended.state, ended.accounts.scored, ended.labelled) == (JobState.DONE, 70, 70)
    for result in of_bucket:
        assert result.sha256 == hashlib.sha256((folder / result.path).read_bytes()).hexdigest()


def test_what_cannot_be_scored_is_refused_for_the_reasons_of_files(
    make_journey: Callable[..., Journey], bucket: Bucket, tmp_path: Path
) -> None:
    journey = make_journey(max_bytes=100_000)
    bucket.put_folder(digit_folder(tmp_path / "digits", 3), "s/")
    bucket.put("s/empty.png", b"")
    bucket.put("s/gone.png")
    bucket.put("s/large.png", bytes(100_001))
    bucket.put("s/text.png", b"no picture")
    bucket.put("s/a/../1/up.png", b"folded")
    bucket.put("s/\u202egnp.5", b"no picture")
    bucket.put("s/folder/", b"")
    bucket.put("s/.hidden/a.png")
    job = job_of(journey, bucket.prefix("s/"))
    bucket.remove("s/gone.png")
    score_all(journey, job)
    assert jobs.get(journey.database, job.id).accounts.scored == 3
    assert refused(journey, job) == {
        "a/../1/up.png": Reason.OUTSIDE,
        "empty.png": Reason.EMPTY,
        "gone.png": Reason.MISSING,
        "large.png": Reason.TOO_LARGE,
        "text.png": Reason.NOT_AN_IMAGE,
        "\u202egnp.5": Reason.NOT_AN_IMAGE,
    }


def test_an_object_that_may_not_be_read_is_refused(journey: Journey, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put_folder(digit_folder(tmp_path / "digits", 3), "s/")
    bucket.put("s/9/closed.png")
    job = job_of(journey, bucket.prefix("s/"))
    closed = f"arn:aws:s3:::{bucket.name}/s/9/closed.png"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": closed}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))
    score_all(journey, job)
    assert refused(journey, job) == {"9/closed.png": Reason.UNREADABLE}
    assert jobs.get(journey.database, job.id).accounts.scored == 3


def test_a_bucket_that_is_closed_to_a_worker_is_waited_for(
    make_journey: Callable[..., Journey], bucket: Bucket, tmp_path: Path
) -> None:
    journey = make_journey(resend_after=0.01)
    bucket.put_folder(digit_folder(tmp_path / "digits", 2), "s/")
    job = job_of(journey, bucket.prefix("s/"))
    with enable_iam_authentication():
        with pytest.raises(SourceUnreadable, match="is closed to these credentials"):
            score_all(journey, job)
        with pytest.raises(SourceUnreadable, match=rf"s3://{bucket.name}/s/ is closed to these credentials"):
            job_of(journey, bucket.prefix("s/"))
    assert jobs.get(journey.database, job.id).accounts.open == 2
    assert score_all(journey, job)[0].startswith("2 scored")


def test_a_store_that_is_away_counts_against_nobody(
    make_journey: Callable[..., Journey], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = make_journey(resend_after=0.01)
    bucket.put_folder(digit_folder(tmp_path / "digits", 2), "s/")
    job = job_of(journey, bucket.prefix("s/"))
    (batch,) = batches.of_job(journey.database, job.id)
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
        get_store.cache_clear()
        for _ in range(4):
            with pytest.raises(StoreUnreachable):
                journey.score(batch.id, nobody)
    assert sweeps.quarantine_exhausted(journey.database, 3) == []
    assert "does not answer" in str(jobs.get(journey.database, job.id).trouble)
    get_store.cache_clear()
    assert journey.score(batch.id, nobody).startswith("2 scored")


def test_a_store_that_goes_away_within_a_batch_counts_against_nobody(
    make_journey: Callable[..., Journey], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = make_journey(max_attempts=1)
    bucket.put_folder(digit_folder(tmp_path / "digits", 20), "s/")
    job = job_of(journey, bucket.prefix("s/"))
    monkeypatch.setattr(s3, "_WAIT", 0.3)
    with Proxy(bucket.port) as proxy, monkeypatch.context() as patched, ExitStack() as outage:
        patched.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        get_store.cache_clear()
        check = get_store().check

        def check_and_go_away(prefix: Prefix) -> None:
            check(prefix)
            outage.enter_context(proxy.black_hole())

        patched.setattr(get_store(), "check", check_and_go_away)
        with pytest.raises(StoreUnreachable, match="ReadTimeout"):
            score_all(journey, job)
    get_store.cache_clear()
    assert score_all(journey, job)[0].startswith("20 scored")


def test_a_bucket_that_is_gone_is_waited_for(
    make_journey: Callable[..., Journey], bucket: Bucket, tmp_path: Path
) -> None:
    journey = make_journey(resend_after=0.01)
    bucket.put_folder(digit_folder(tmp_path / "digits", 1), "s/")
    job = job_of(journey, bucket.prefix("s/"))
    (key,) = bucket.keys("s/")
    bucket.remove(key)
    bucket.client.delete_bucket(Bucket=bucket.name)
    with pytest.raises(SourceNotFound, match=f"no bucket {bucket.name}"):
        score_all(journey, job)
    assert jobs.get(journey.database, job.id).accounts.open == 1


def test_a_page_shows_pictures_from_the_bucket_and_names_no_secret(
    journey: Journey, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put_folder(digit_folder(tmp_path / "digits", 5), "s/")
    job = job_of(journey, bucket.prefix("s/"), Labels.NONE)
    score_all(journey, job)
    page = write_report(journey.database, jobs.get(journey.database, job.id), tmp_path / "page.html").read_text()
    assert page.count('alt="The image as it came."') == 5
    assert KEY not in page
    assert SECRET not in page


def test_a_store_that_is_away_costs_the_picture_and_not_the_page(
    journey: Journey, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    get_store.cache_clear()
    picture = Album(bucket.prefix("s/"), journey.settings).picture(Result("a.png", "scored"))
    assert "does not answer" in str(picture.note)


def test_predict_reads_a_bucket_as_it_reads_the_folder(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_RUNTIME", "litert")
    folder = digit_folder(tmp_path / "digits", 5)
    bucket.put_folder(folder, "digits/")
    assert seen(predict(bucket.url("digits"))) == seen(predict(folder))


def test_predict_asks_for_objects_side_by_side_and_gives_results_in_their_order(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_RUNTIME", "litert")
    folder = digit_folder(tmp_path / "digits", AT_ONCE + 2)
    bucket.put_folder(folder, "digits/")
    bucket.put("digits/5/../up.png")
    get, asked = s3.S3._get, list[str]()

    async def answer_once_others_were_asked_for(store: s3.S3, prefix: Prefix, path: str, *bounds: int) -> bytes | int:
        asked.append(path)
        while path.endswith(".png") and len(asked) < AT_ONCE:
            await asyncio.sleep(0.01)
        return await get(store, prefix, path, *bounds)

    monkeypatch.setattr(s3.S3, "_get", answer_once_others_were_asked_for)
    found = predict([bucket.url("digits"), folder])
    assert [result.path for result in found if result.reason is Reason.OUTSIDE] == ["5/../up.png"]
    scored = [result for result in found if result.status == "scored"]
    assert seen(scored[: AT_ONCE + 2]) == seen(scored[AT_ONCE + 2 :])
