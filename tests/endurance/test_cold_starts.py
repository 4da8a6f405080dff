"""Fifty children of pools are lost, one after the other; each successor scores, and none hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.scene import WORKERS, Scene
from tests.digits import digit_folder
from tests.faults.conftest import DIGITS, finished
from tests.faults.starts import replace_children
from tests.oracle import labels_of

STARTS = 50


@pytest.mark.timeout(3600)
def test_fifty_children_start_cold_and_each_scores_and_shares_no_connection_with_its_parent(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        digits = digit_folder(scene.folder / "digits", DIGITS)
        quiet = labels_of(scene.database, finished(scene, scene.send(digits)).id)
        replace_children(scene, digits, quiet, times=STARTS // len(WORKERS))
