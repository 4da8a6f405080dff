"""A page shows what can be shown, and says why where nothing can."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Never

import pytest

from core.ledger.results import Result
from digitline.pictures import Album
from tests.conftest import MakeSettings


def test_a_disk_in_trouble_costs_the_picture_and_not_the_page(
    settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def troubled(*_: object, **__: object) -> Never:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("os.open", troubled)
        picture = Album(tmp_path, settings()).picture(Result("a.png", "scored"))
    assert picture.note == "No picture: [Errno 5] Input/output error"
