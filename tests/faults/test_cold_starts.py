"""Children of a pool are lost; each successor loads the model and scores, and none hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.scene import Scene
from tests.faults.starts import replace_children
from tests.oracle import Expected

pytestmark = pytest.mark.timeout(400)


def test_a_child_that_takes_anothers_place_scores_and_shares_no_connection_with_its_parent(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    replace_children(scene, digits, quiet, times=2)  # of two workers: four cold starts
