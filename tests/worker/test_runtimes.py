"""A worker that runs LiteRT scores real digits through the whole line, as one that runs Keras, without TensorFlow."""

from __future__ import annotations

import dataclasses
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from classifier.artifact import read_card, shipped_model, write_card
from core.ledger import jobs, results
from core.settings import Settings
from core.vocabulary import JobState, Runtime, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.conftest import MakeSettings
from tests.digits import digit_folder
from tests.processes import PATIENCE, LineProcess, members_of_session, running
from tests.waiting import wait_until
from worker.process import READY
from worker.start import STARTED

pytestmark = pytest.mark.timeout(400)

IMAGES = 300
#: What TensorFlow's and Keras's libraries are called where a process maps them.
HEAVY = re.compile(r"/(tensorflow|keras|h5py)/")


@pytest.mark.parametrize("runtime", [Runtime.LITERT, Runtime.LITERT_INT8])
def test_a_litert_worker_gives_the_labels_of_a_keras_worker_and_never_maps_tensorflow(
    settings: MakeSettings, redis_url: str, tmp_path: Path, runtime: Runtime
) -> None:
    folder = digit_folder(tmp_path / "digits", IMAGES)
    wanted, keras_maps = scored(settings, redis_url, tmp_path, folder, Runtime.KERAS)
    found, maps = scored(settings, redis_url, tmp_path, folder, runtime)
    assert len(wanted) == IMAGES
    differing = [path for path in wanted if found[path] != wanted[path]]
    assert len(differing) <= (1 if runtime is Runtime.LITERT_INT8 else 0)
    assert HEAVY.search(keras_maps)
    assert "ai_edge_litert" in maps
    assert not HEAVY.search(maps)


def scored(
    settings: MakeSettings, redis_url: str, place: Path, folder: Path, runtime: Runtime
) -> tuple[dict[str, int | str | None], str]:
    """Score a folder with a worker of its own; returns the labels by path, and what the worker's processes map."""
    home = place / runtime.value
    home.mkdir()
    chosen = settings(
        home=home,
        database_url=f"sqlite:///{home / 'ledger.sqlite'}",
        broker_url=redis_url,
        key_prefix=f"{home.name}:",
        concurrency=1,
        batch_size=100,
        runtime=runtime,
    )
    prepare_ledger(chosen)
    with running(chosen, "worker", log=home / "worker.log") as worker:
        worker.says(f"{READY} by {runtime}")
        labels = labels_of(chosen, folder)
        mapped = maps_of(worker)
        tells_of_its_start(worker)
        assert worker.stop() == 0
    return labels, mapped


def labels_of(settings: Settings, folder: Path) -> dict[str, int | str | None]:
    """Submit a folder and wait; returns the labels by path."""
    line = Line.open(settings)
    try:
        job = submit(line, folder, triggered_by=Trigger.SCRIPT)
        wait_until(partial(is_done, line, job.id), "the job is done", PATIENCE)
        return {one.path: one.label for one in results.of_job(line.database, job.id)}
    finally:
        line.close()


def is_done(line: Line, job_id: int) -> bool:
    """True once a job is done."""
    return jobs.get(line.database, job_id).state is JobState.DONE


def maps_of(worker: LineProcess) -> str:
    """What the worker and its children have mapped into their memory."""
    return "".join(Path(f"/proc/{one}/maps").read_text() for one in {worker.pid, *members_of_session(worker.pid)})


def tells_of_its_start(worker: LineProcess) -> None:
    """A worker says once how its start was spent, in milliseconds, and the parts are the whole."""
    worker.says(STARTED)
    assert worker.output.count(STARTED) == 1
    (line,) = (line for line in worker.output.splitlines() if STARTED in line)
    whole, parts = re.search(r"started in (\d+) ms: (.*)", line).groups()  # type: ignore[union-attr]
    named = dict(re.findall(r"([a-z ]+?) (\d+)(?:, |$)", parts))
    assert list(named) == ["import", "load", "warm", "first batch"]
    assert sum(map(int, named.values())) == int(whole)


def test_a_litert_worker_whose_model_was_not_exported_ends_and_says_how_to_mend_it(
    settings: MakeSettings, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    model = without_exports(Path(shutil.copytree(shipped_model(), tmp_path / "model")))
    chosen = settings(database_url=sqlite_url, broker_url=redis_url, concurrency=1, model=model, runtime=Runtime.LITERT)
    prepare_ledger(chosen)
    with running(chosen, "worker", log=tmp_path / "worker.log") as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends", PATIENCE)
        assert worker.exit_code == 1
        assert "was not exported to the runtime litert. Export it with `digitline models export" in worker.output


def without_exports(folder: Path) -> Path:
    """A model folder whose card knows of no export."""
    card = read_card(folder)
    networks = [dataclasses.replace(network, exports={}) for network in card.networks]
    write_card(folder, dataclasses.replace(card, fast=networks[0], careful=tuple(networks[1:]), agreement={}))
    return folder
