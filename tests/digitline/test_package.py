"""The package is light, and offers what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import digitline
from tests.environment import ROOT

_HEAVY = ("cv2", "keras", "tensorflow", "celery", "sqlalchemy", "matplotlib", "pyarrow", "sklearn")
_PICTURES = ("cv2", "keras", "tensorflow", "classifier", "training")


def _imported_by(statement: str, modules: tuple[str, ...]) -> str:
    """Which of the modules a fresh interpreter has imported after a statement."""
    program = f"import sys\n{statement}\nprint(*(name for name in {modules!r} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert _imported_by("import digitline", (*_HEAVY, "numpy", "rich")) == ""


def test_importing_the_client_imports_nothing_that_reads_pictures() -> None:
    assert _imported_by("import digitline; digitline.submit", _PICTURES) == ""


def _imported_for(arguments: list[str], modules: tuple[str, ...]) -> str:
    """Which of the modules a fresh `digitline ...` has imported when it ends."""
    program = (
        f"import atexit, sys\nsys.argv = ['digitline', *{arguments!r}]\nimport digitline.cli\n"
        f"atexit.register(lambda: print('imported:', *(name for name in {modules!r} if name in sys.modules)))\n"
        "digitline.cli.main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return ended.stdout.rpartition("imported:")[2].strip()


def test_listing_the_verbs_imports_nothing_heavy() -> None:
    assert _imported_for(["--help"], _HEAVY) == ""


@pytest.mark.parametrize("verb", ["status", "results", "predict", "explain", "train", "evaluate", "report", "models"])
def test_the_help_of_a_verb_needs_no_network(verb: str) -> None:
    assert _imported_for([verb, "--help"], ("cv2", "keras", "tensorflow", "matplotlib")) == ""


def test_every_name_that_is_offered_is_there() -> None:
    assert all(getattr(digitline, name).__name__ == name for name in digitline.__all__)
    assert set(digitline.__all__) <= set(dir(digitline))


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sumbit'"):
        digitline.sumbit  # type: ignore[attr-defined]  # noqa: B018
