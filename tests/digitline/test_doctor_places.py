"""The doctor on hosts, folders and settings that are not as they should be."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from classifier.artifact import shipped_model
from core import tables
from core.database import Database
from core.errors import DigitlineError
from core.settings import Settings, get_settings
from digitline.doctor import machine, mounts, places
from digitline.doctor.finding import Caution
from digitline.setup import prepare_ledger
from scheduler.inbox import prepare_folders
from tests.conftest import MakeSettings
from tests.digitline.conftest import Digitline, findings
from tests.store import Bucket

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 22 0:42 / /srv/shared\\040scans rw,relatime shared:5 master:1 - nfs4 nas:/scans rw,vers=4.2
37 36 0:43 / /srv/shared\\040scans/local rw - xfs /dev/sdb1 rw
38 22 0:44 / /mnt/there rw - ext4 /dev/sdc1 rw
39 22 0:45 / /mnt/there rw - fuse.sshfs ada@there: rw
""".splitlines()


@pytest.mark.parametrize(
    ("path", "kind", "of_network"),
    [
        ("/srv/shared scans/inbox", "nfs4", True),
        ("/srv/shared scans/local/inbox", "xfs", False),
        ("/srv/shared scans elsewhere", "ext4", False),
        ("/mnt/there/inbox", "fuse.sshfs", True),
        ("/home/ada", "ext4", False),
    ],
)
def test_the_file_system_of_a_folder_is_told(path: str, kind: str, of_network: bool) -> None:
    mount = mounts.mount_of(Path(path), MOUNTS)
    assert mount is not None
    assert (mount.kind, mount.of_network) == (kind, of_network)


def test_this_machines_own_mounts_are_read(tmp_path: Path) -> None:
    mount = mounts.mount_of(tmp_path)
    assert mount is None or tmp_path.is_relative_to(mount.point)


@pytest.fixture
def line(settings: MakeSettings) -> Settings:
    """The settings of a home with its folders."""
    chosen = settings()
    prepare_folders(chosen)
    return chosen


def refuse_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the file system say no, as it does to a user without the right; root may write everywhere."""
    opened = os.open

    def refuse(path: str, *more: int, **named: int) -> int:
        if str(path).startswith(f"{folder}{os.sep}"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *more, **named)

    monkeypatch.setattr(os, "open", refuse)


def test_a_folder_that_this_user_may_not_write_is_a_fault(line: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.folders(line)
    assert [*line.inbox_folder.iterdir()] == []
    if os.geteuid() == 0:
        refuse_writes(line.done_folder, monkeypatch)
    else:
        line.done_folder.chmod(0o500)
    with pytest.raises(DigitlineError, match="cannot be written by user") as refused:
        places.folders(line)
    assert str(line.done_folder) in str(refused.value)


def test_folders_on_several_file_systems_are_a_fault(line: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(line.inbox_folder) in places.inbox(line)
    elsewhere = mounts.Mount(line.done_folder, "xfs")
    monkeypatch.setattr(
        "digitline.doctor.places.mount_of",
        lambda path: elsewhere if path == line.done_folder else mounts.Mount(Path("/"), "ext4"),
    )
    with pytest.raises(DigitlineError, match="several file systems") as refused:
        places.inbox(line)
    assert "by a rename" in refused.value.mend


def test_an_inbox_on_a_share_is_in_order_and_a_sqlite_ledger_there_is_not(
    home: Settings, digitline: Digitline, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_ledger(home)
    prepare_folders(home)
    for place in ("places", "servers"):
        monkeypatch.setattr(f"digitline.doctor.{place}.mount_of", lambda _: mounts.Mount(Path("/"), "nfs4"))
    monkeypatch.setenv("DIGITLINE_RUNTIME", "litert")
    found = findings(digitline("doctor", "--json").out)
    assert found["inbox"]["in_order"]
    assert "not announced" in str(found["inbox"]["finding"])
    assert found["database"]["severity"] == "fault"
    assert "nfs4" in str(found["database"]["finding"])
    assert "DIGITLINE_DATABASE_URL" in str(found["database"]["mend"])


def test_little_room_is_a_warning_and_none_for_drops_a_fault(line: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB free" in places.disk(line)
    with pytest.raises(DigitlineError, match="no drop is taken from the inbox"):
        places.disk(line.model_copy(update={"min_free": 1 << 60}))
    monkeypatch.setattr("digitline.doctor.places._LITTLE_DISK", 1 << 60)
    with pytest.raises(Caution, match="GB are free"):
        places.disk(line)
    monkeypatch.undo()
    monkeypatch.setattr("digitline.doctor.places._FEW_FILES", 1 << 60)
    with pytest.raises(Caution, match="files more"):
        places.disk(line)


def test_a_misspelt_setting_is_said_by_the_doctor_too(digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_BATCH_SIEZ", "64")
    ended = digitline("doctor", "--json")
    assert ended.code == 1
    (found,) = findings(ended.out).values()
    assert (found["severity"], found["finding"]) == ("fault", "There is no setting DIGITLINE_BATCH_SIEZ.")
    assert found["mend"] == "Did you mean DIGITLINE_BATCH_SIZE?"
    assert "DIGITLINE_BATCH_SIZE?" in digitline("doctor").out


def test_a_misspelt_setting_in_a_file_of_settings_is_a_warning(
    settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".env"
    file.write_text("# DIGITLINE_NOTHING=1\nLINE_UID=1000\nexport DIGITLINE_FLOWER_AUTH=ada:secret\n")
    assert machine.variables(settings()).startswith("1 of ours")
    file.write_text("DIGITLINE_FLOWER_AUHT=ada:secret\n")
    with pytest.raises(Caution, match="There is no setting DIGITLINE_FLOWER_AUHT") as refused:
        machine.variables(settings())
    assert refused.value.mend == "Did you mean DIGITLINE_FLOWER_AUTH?"
    assert "secret" not in str(refused.value)


def test_a_host_without_time_zones_is_found_out(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.time_zones(home)
    monkeypatch.setattr("digitline.doctor.machine._ALWAYS", "Nowhere/Atlantis")
    with pytest.raises(DigitlineError, match="Nowhere/Atlantis") as refused:
        machine.time_zones(home)
    assert "tzdata" in refused.value.mend


def test_a_page_that_others_reach_without_a_password_is_a_fault(settings: MakeSettings) -> None:
    assert machine.pages(settings())
    for wrong in ({"flower_address": "::"}, {"web_address": "0.0.0.0"}):
        with pytest.raises(DigitlineError, match="without a password"):
            machine.pages(settings(**wrong))


def test_a_model_that_was_changed_or_reads_badly_is_a_fault(
    home: Settings, digitline: Digitline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_RUNTIME", "litert")
    get_settings.cache_clear()
    prepare_ledger(home)
    assert "100 of 100" in machine.digits(get_settings())
    monkeypatch.setattr("digitline.doctor.machine._RIGHT", 101)
    with pytest.raises(DigitlineError, match="reads 100 of 100") as refused:
        machine.digits(get_settings())
    assert "rollback" in refused.value.mend
    folder = Path(shutil.copytree(shipped_model(), tmp_path / "model"))
    (folder / "fast.keras").write_bytes(b"another")
    with closing(Database(home.database)) as ledger, ledger.begin() as connection:
        connection.execute(update(tables.models).values(location=str(folder)))
    found = findings(digitline("doctor", "--json").out)
    assert found["model"]["severity"] == "fault"
    assert "fast.keras" in str(found["model"]["finding"])


def test_an_inbox_in_a_bucket_that_is_not_there_is_a_fault_that_names_it(
    bucket: Bucket, settings: MakeSettings
) -> None:
    assert bucket.url("inbox") in places.buckets(settings(inbox_urls=bucket.url("inbox")))
    gone = settings(inbox_urls="s3://never-made/inbox")
    with pytest.raises(DigitlineError, match="never-made"):
        places.buckets(gone)
