"""The bench of scale: its folder, what it records in the place of workers, and that it measures the real line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.scale.findings import Figure, Measured, print_findings, ratios
from benchmarks.scale.folder import BLOCK, make_linked_folder
from benchmarks.scale.recording import made_up, record
from benchmarks.scale.servers import Kind
from benchmarks.scale.submitting import Submitted
from benchmarks.scale.work import Recorded
from core.database import Database
from core.ledger import audit, jobs, results
from core.vocabulary import JobState, Manifest
from scheduler.folder import list_files
from tests.core.examples import create_job
from tests.environment import ROOT

#: As if a million images had taken as long, by the image, as ten thousand.
MEASURED = Measured(
    Kind.SQLITE,
    [Recorded(1.0, [0.01] * 40, [0.001] * 40)] * 3,
    Submitted(3, 1_000_000, 4_000, 2.0, 10.0, 0.1, (90.0, 150.0, 150.0)),
    Recorded(100.0, [0.01] * 4_000, [0.001] * 4_000),
    {"status": 0.02},
    {},
    {"recording": {"redis_commands": 7.0}},
)


def test_a_folder_has_as_many_images_as_are_asked_for_and_each_block_links_to_the_first(tmp_path: Path) -> None:
    make_linked_folder(tmp_path / "scans", BLOCK + 3)
    files = list_files(tmp_path / "scans")
    assert len(files) == BLOCK + 3
    linked = [file for file in files if file.startswith("001/")]
    assert linked == ["001/" + file.removeprefix("000/") for file in files[:3]]
    assert all((tmp_path / "scans" / file).samefile(tmp_path / "scans" / f"000{file[3:]}") for file in linked)


def test_a_made_up_outcome_has_every_image_once() -> None:
    outcome = made_up(Manifest([f"{number}.png" for number in range(256)], [number % 10 for number in range(256)]))
    positions = [one.position for one in (*outcome.predictions, *outcome.rejections)]
    assert sorted(positions) == list(range(256))
    assert sum(cell.count for cell in outcome.confusion) == 256


def test_recorders_share_a_job_and_leave_it_ended_and_in_order(database: Database) -> None:
    job = create_job(database, [30] * 5, labelled=True)
    taken = [len(list(record(database, job.id, part, 2))) for part in (0, 1)]
    assert taken == [3, 2]
    assert jobs.get(database, job.id).state is JobState.DONE
    assert audit.miscounted(database) == []
    assert sum(results.verdict_counts(database, job.id).values()) == 5 * 28


def test_ratios_compare_an_image_of_the_large_job_with_one_of_the_small() -> None:
    assert {ratio.name: ratio.value for ratio in ratios(MEASURED)} == {
        "sqlite:1000000/10000:clock": pytest.approx(1.0),
        "sqlite:1000000/10000:ledger": pytest.approx(1.0),
        "sqlite:last/first-10000:ledger": pytest.approx(1.0),
    }
    slower = replace(MEASURED, recorded=Recorded(200.0, [0.01] * 2_000 + [0.03] * 2_000))
    by_name = {ratio.name: ratio for ratio in ratios(slower)}
    assert by_name["sqlite:1000000/10000:clock"].value == pytest.approx(2.0)
    assert by_name["sqlite:last/first-10000:ledger"].value == pytest.approx(3.0)
    assert not any(ratio.met for ratio in ratios(slower))
    in_larger_batches = replace(MEASURED, recorded=Recorded(100.0, [0.02] * 2_000))
    assert {ratio.name: ratio.value for ratio in ratios(in_larger_batches)}[
        "sqlite:1000000/10000:ledger"
    ] == pytest.approx(1.0)


def test_where_workers_score_there_is_the_clock_alone() -> None:
    (ratio,) = ratios(
        replace(MEASURED, small=[Recorded(seconds, []) for seconds in (0.5, 1.0, 9.0)], recorded=Recorded(110.0, []))
    )
    assert (ratio.name, ratio.value, ratio.met) == ("sqlite:1000000/10000:clock", pytest.approx(1.1), True)


def test_a_target_may_be_a_least_or_a_greatest_value() -> None:
    assert [Figure("f", value, "", 10, least=True).met for value in (9, 11)] == [False, True]
    assert [Figure("f", value, "", 10).met for value in (9, 11)] == [True, False]
    assert Figure("f", 9, "").met is None


def test_what_is_missed_says_so() -> None:
    output = io.StringIO()
    print_findings(Console(file=output, width=200), replace(MEASURED, pages={"status": 2.0}))
    lines = output.getvalue().splitlines()
    assert "ratio sqlite:1000000/10000:clock 1.000 target 1.15" in lines
    assert [line.split()[-1] for line in lines if "first page" in line] == ["NO"]
    assert [line.split()[-1] for line in lines if line.startswith("submitted")] == ["yes"]


@pytest.mark.parametrize("kind", Kind)
def test_the_bench_submits_records_and_looks_at_a_real_line_and_leaves_nothing_behind(
    kind: Kind, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("scale")  # short, for sockets lie below it
    command = [sys.executable, "-m", "benchmarks.scale", "--images", str(BLOCK), "--database", kind]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "No image is read" in done.stdout
    assert done.stdout.count("ratio ") == 3
    for name in ("submitted", "sweep, every batch in Redis", "first page: results JOB", "recording, a batch: database"):
        assert any(line.startswith(name) for line in done.stdout.splitlines()), name
    assert [*temporary.glob("digitline-scale-*"), *temporary.glob("digitline-images-*")] == []
