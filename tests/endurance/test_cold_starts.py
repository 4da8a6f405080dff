"""Children of a pool are lost again and again; each successor loads the model and scores, and none hangs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chaos.scene import WORKERS, Scene
from tests.digits import digit_folder
from tests.faults.conftest import finished, labels_of, send
from tests.oracle import check_job
from tests.processes import members_of_session
from worker.process import READY

STARTS = 50


@pytest.mark.timeout(3600)
def test_fifty_children_start_one_after_the_other_and_each_scores(tmp_path: Path) -> None:
    digits = digit_folder(tmp_path / "digits", 20)
    name = WORKERS[0]
    with Scene(tmp_path / "scene", workers=[name]) as scene:
        quiet = labels_of(scene, finished(scene, send(scene, digits)))
        worker = scene.process(name)
        for start in range(2, STARTS + 2):
            (child,) = set(members_of_session(worker.pid)) - {worker.pid}
            os.kill(child, signal.SIGKILL)
            worker.says(READY, start)
            check_job(scene.database, finished(scene, send(scene, digits)).id, quiet)
            assert "tensorflow" not in Path(f"/proc/{worker.pid}/maps").read_text()
        assert scene.process(name) is worker
