"""The file of a backup: what is in it, and that whatever was changed in it is refused before anything is written."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from classifier.artifact import shipped_model
from core.database import Database
from core.errors import ArtifactError, DigitlineError, LineError
from core.ledger import models
from core.settings import Settings
from digitline import backup as backups
from digitline.archive import MANIFEST
from digitline.embedded import _only_one
from digitline.setup import prepare_ledger, register_folder
from tests.conftest import MakeSettings
from tests.core.examples import register_model
from tests.digits import files_below


@pytest.fixture
def old(settings: MakeSettings, sqlite_url: str, tmp_path: Path) -> Settings:
    """A home whose ledger knows the shipped model."""
    chosen = settings(home=tmp_path / "old", database_url=sqlite_url)
    prepare_ledger(chosen)
    return chosen


@pytest.fixture
def backup(old: Settings, tmp_path: Path) -> Path:
    """Its backup."""
    return backups.back_up(old, tmp_path / "backup.zip").path


@pytest.fixture
def new(settings: MakeSettings, tmp_path: Path) -> Settings:
    """A home of which nothing is there yet."""
    return settings(home=tmp_path / "new")


def test_a_backup_is_for_its_owner_alone_and_replaces_no_other(old: Settings, backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    content = backup.read_bytes()
    with pytest.raises(DigitlineError, match="backup.zip is there already"):
        backups.back_up(old, backup)
    assert backup.read_bytes() == content


def test_in_a_folder_a_backup_is_named_after_the_moment(old: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    path = backups.back_up(old, folder).path
    assert list(folder.iterdir()) == [path]
    assert re.fullmatch(r"digitline-\d{8}T\d{6}Z\.zip", path.name)


def test_a_model_that_is_gone_is_left_out_and_named_unless_it_scores(
    old: Settings, new: Settings, tmp_path: Path
) -> None:
    with closing(Database(old.database)) as database:
        gone = register_model(database, "gone")
        partly = backups.back_up(old, tmp_path / "one.zip")
        assert list(partly.manifest.left_out) == [gone.sha256]
        assert "/models/gone/card.json cannot be read" in partly.manifest.left_out[gone.sha256]
        models.challenge(database, gone)
    with pytest.raises(ArtifactError, match="/models/gone/card.json cannot be read"):
        backups.back_up(old, tmp_path / "two.zip")
    assert not (tmp_path / "two.zip").exists()
    assert backups.restore(new, partly.path).manifest == partly.manifest


def test_the_shipped_model_stays_with_the_version_that_ships_it(new: Settings, backup: Path) -> None:
    assert list(backups.restore(new, backup).models.values()) == [shipped_model()]
    assert not (new.home_folder / "models").exists()


def test_a_model_is_never_unpacked_to_where_people_drop_their_images(
    old: Settings, settings: MakeSettings, model_folder: Path, tmp_path: Path
) -> None:
    with closing(Database(old.database)) as database:
        register_folder(database, model_folder, old)
    path = backups.back_up(old, tmp_path / "backup.zip").path
    new = settings(home=tmp_path / "new" / "home", inbox=tmp_path / "new")
    with pytest.raises(ArtifactError, match="lies where people drop their images"):
        backups.restore(new, path)
    assert not (new.home_folder / "digitline.sqlite").exists()


def test_where_a_line_runs_nothing_is_restored(new: Settings, backup: Path) -> None:
    new.home_folder.mkdir()
    with _only_one(new), pytest.raises(LineError, match=rf"A line runs in .* \(process {os.getpid()}\)"):
        backups.restore(new, backup)
    assert not (new.home_folder / "digitline.sqlite").exists()


def test_a_ledger_of_another_kind_is_refused(
    settings: MakeSettings, empty_postgres_url: str, backup: Path, tmp_path: Path
) -> None:
    new = settings(home=tmp_path / "new", database_url=empty_postgres_url)
    with pytest.raises(DigitlineError, match="backup.zip holds a ledger of sqlite"):
        backups.restore(new, backup)


Change = Callable[[dict[str, bytes]], None]


def manifest(**values: object) -> Change:
    """Puts other values into the manifest."""

    def change(parts: dict[str, bytes]) -> None:
        parts[MANIFEST] = json.dumps({**json.loads(parts[MANIFEST]), **values}).encode()

    return change


def named(name: str) -> Change:
    """Has the manifest name one part more, that is there."""

    def change(parts: dict[str, bytes]) -> None:
        told = json.loads(parts[MANIFEST])
        told["parts"][name] = told["parts"]["ledger.sqlite"]
        parts[name] = parts["ledger.sqlite"]
        parts[MANIFEST] = json.dumps(told).encode()

    return change


def network_of(parts: dict[str, bytes]) -> str:
    """Name of a network's part."""
    return next(name for name in parts if name.endswith("fast.keras"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda parts: parts.update({"../stray": b"x"}), "its manifest and its parts differ: '../stray'"),
        (lambda parts: parts.update({"/etc/stray": b"x"}), "its manifest and its parts differ: '/etc/stray'"),
        (named("../stray"), "its manifest.json makes no sense: parts"),
        (named("models/../../stray.keras"), "its manifest.json makes no sense: parts"),
        (named("ledger.dump"), "there must be one ledger"),
        (named(f"models/{'0' * 64}/fast.keras"), "has no card.json beside it"),
        (lambda parts: parts.pop(network_of(parts)), "its manifest and its parts differ: 'models/"),
        (lambda parts: parts.update({network_of(parts): b"another"}), "the SHA-256 of models/"),
        (lambda parts: parts.update({"ledger.sqlite": b"x" * (1 << 20)}), "a part is larger than its manifest says"),
        (lambda parts: parts.pop(MANIFEST), "it has no manifest.json"),
        (lambda parts: parts.update({MANIFEST: b"{"}), "its manifest.json makes no sense"),
        (manifest(format=2), "its manifest.json makes no sense: format"),
        (manifest(revision="9999"), "at revision 9999, which this Digitline does not know. Install version"),
    ],
)
def test_a_backup_that_was_tampered_with_is_refused_and_nothing_is_written(
    change: Change, says: str, new: Settings, backup: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(backup) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    there = files_below(tmp_path)
    with pytest.raises(DigitlineError) as refused:
        backups.restore(new, tmp_path / "changed.zip")
    assert says in f"{refused.value} {refused.value.mend}"
    assert files_below(tmp_path) == there
    assert not Path("/etc/stray").exists()


def test_an_archive_with_one_name_twice_is_refused(new: Settings, backup: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(backup, "a") as archive:
        archive.writestr("ledger.sqlite", b"another")
    with pytest.raises(DigitlineError, match="one name twice"):
        backups.restore(new, backup)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_backup_that_was_cut_short_is_refused(share: float, new: Settings, backup: Path) -> None:
    os.truncate(backup, int(backup.stat().st_size * share))
    with pytest.raises(DigitlineError, match="backup.zip is no backup, or a damaged one"):
        backups.restore(new, backup)
    assert not new.home_folder.exists()


def test_a_flipped_bit_in_any_part_is_refused(new: Settings, backup: Path) -> None:
    with zipfile.ZipFile(backup) as archive:
        places = [(member.filename, member.header_offset, member.compress_size) for member in archive.infolist()]
    whole = backup.read_bytes()
    for name, offset, size in places:
        data = bytearray(whole)
        data[offset + 30 + len(name) + 20 + size // 2] ^= 1
        backup.write_bytes(data)
        with pytest.raises(DigitlineError, match="backup.zip"):
            backups.restore(new, backup)
        assert not (new.home_folder / "digitline.sqlite").exists()
