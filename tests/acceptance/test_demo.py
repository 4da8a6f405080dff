"""`digitline demo` as a new user runs it, twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings
from tests.environment import variables
from tests.processes import PATIENCE, processes_naming
from tests.servers import free_port

pytestmark = pytest.mark.timeout(400)

IMAGES = 300


def demo(settings: Settings, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "digitline", "demo", f"--images={IMAGES}", *options],
        env=variables(settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_demo_scores_real_digits_reports_them_and_leaves_no_process(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", flower_port=free_port(), batch_size=100)
    first = demo(settings, tmp_path)
    assert first.returncode == 0, first.stderr
    assert f"found {IMAGES} = scored {IMAGES} + rejected 0 + quarantined 0" in first.stdout
    assert "Confusion matrix" in first.stdout
    assert "images/s" in first.stdout
    page = (tmp_path / "report.html").read_text()
    assert "Confusion matrix" in page
    assert "data:image/png;base64," in page

    second = demo(settings, tmp_path, "--json")
    assert second.returncode == 0, second.stderr
    told = json.loads(second.stdout)
    assert told["accounts"] == {"found": IMAGES, "scored": IMAGES, "rejected": 0, "quarantined": 0}
    assert told["job"] == 2
    assert told["accuracy"] >= 0.98
    assert sum(map(sum, told["confusion_matrix"])) == IMAGES
    assert processes_naming(str(settings.home)) == {}
