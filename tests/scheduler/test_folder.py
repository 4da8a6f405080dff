"""What a folder holds, and which labels its images have."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from core.errors import LabelsError, SourceEmpty, SourceNotFound, SourceUnreadable
from core.vocabulary import Labels
from scheduler.folder import cut, ignored, list_files, true_labels
from scheduler.settle import look_at
from tests.scheduler.conftest import Nest, as_nobody


def make(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    "name",
    [".DS_Store", ".hidden", "Thumbs.db", "desktop.ini", "a.png.part", "a.filepart", "a.crdownload", "b.tmp",
     "a.png~", "~$a.png", "#a.png#", ".a.png.swp", "_READY", "__MACOSX"],
)  # fmt: skip
def test_hidden_temporary_and_editor_files_are_nobodys_picture(name: str) -> None:
    assert ignored(name)


@pytest.mark.parametrize("name", ["a.png", "notes.txt", "a", "part.png", "a.JPG", "tmp", "labels.csv"])
def test_everything_else_is_to_be_scored_or_refused_in_plain_sight(name: str) -> None:
    assert not ignored(name)


def test_files_are_listed_in_one_order_at_every_depth(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "b.png", "a/2.png", "a/deep/er/1.png", "a.png", "c/.hidden", ".git/x.png", "B.png")
    assert list_files(root) == ["B.png", "a.png", "a/2.png", "a/deep/er/1.png", "b.png"]


def test_a_link_to_a_folder_is_listed_but_not_followed(tmp_path: Path) -> None:
    secret = make(tmp_path / "secret", "key.png")
    root = make(tmp_path / "scans", "a.png")
    (root / "link").symlink_to(secret)
    assert list_files(root) == ["a.png", "link"]


def test_a_name_that_is_no_utf8_is_listed(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", os.fsdecode(b"caf\xe9.png"))
    assert list_files(root) == ["caf\udce9.png"]


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [([], SourceEmpty, "holds no file"), ([".DS_Store"], SourceEmpty, "holds no file")],
)
def test_a_folder_without_a_picture_is_refused(
    tmp_path: Path, files: list[str], error: type[Exception], says: str
) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(error, match=says):
        list_files(make(tmp_path / "scans", *files))


def test_what_is_missing_or_no_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="There is no folder .*gone"):
        list_files(tmp_path / "gone")
    with pytest.raises(SourceNotFound, match=r"a\.png is no folder"):
        list_files(make(tmp_path, "a.png") / "a.png")


@pytest.mark.parametrize("closed", ["scans", "scans/sub", "."])
def test_a_folder_that_may_not_be_read_is_refused_by_name(closed: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder, "scans"), "sub/a.png", "b.png")
        for path in (Path(folder), root, root / "sub"):
            path.chmod(0o755)
        Path(folder, closed).chmod(0)
        try:
            with as_nobody(), pytest.raises(SourceUnreadable, match="scans.* cannot be read: Permission denied"):
                list_files(root)
        finally:
            Path(folder, closed).chmod(0o755)


def test_class_folders_name_the_digit_at_any_depth(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "0/a.png", "x/7/b.png", "7/x/c.png", "12/d.png", "e.png")
    files = list_files(root)
    assert dict(zip(files, true_labels(root, files, Labels.AUTO) or [], strict=True)) == {
        "0/a.png": 0,
        "12/d.png": None,
        "7/x/c.png": None,
        "e.png": None,
        "x/7/b.png": 7,
    }


def test_a_dropped_class_folder_is_its_own_label(tmp_path: Path) -> None:
    root = make(tmp_path / "4", "a.png", "b.png")
    assert true_labels(root, list_files(root), Labels.AUTO) == [4, 4]


def test_no_label_at_all_is_none_as_a_whole(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "a.png")
    assert true_labels(root, ["a.png"], Labels.AUTO) is None
    assert true_labels(make(tmp_path / "3", "a.png"), ["a.png"], Labels.NONE) is None


def test_a_table_of_labels_beats_class_folders_and_is_no_picture(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "1/a.png", "b.png")
    (root / "labels.csv").write_text("path,label\n1/a.png,9\n./b.png, 2 \n\n")
    files = list_files(root)
    assert files == ["1/a.png", "b.png"]
    assert true_labels(root, files, Labels.AUTO) == [9, 2]
    assert true_labels(root, files, Labels.FOLDERS) == [1, None]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.png", "line 2: expected path,label, found 'a.png'"),
        ("gone.png,3", "line 2: there is no file 'gone.png' in the folder"),
        ("a.png,ten", "line 2: the label 'ten' of 'a.png' is no digit from 0 to 9"),
        ("a.png,10", "line 2: the label '10' of 'a.png' is no digit from 0 to 9"),
        ("a.png,1\na.png,2", "line 3: 'a.png' has two labels, 1 and 2"),
        ("../a.png,1", "line 2: there is no file '../a.png' in the folder"),
    ],
)
def test_a_wrong_line_of_labels_is_named(tmp_path: Path, line: str, says: str) -> None:
    root = make(tmp_path / "scans", "a.png")
    (root / "labels.csv").write_text(f"path,label\n{line}\n")
    with pytest.raises(LabelsError, match="labels.csv") as caught:
        true_labels(root, ["a.png"], Labels.AUTO)
    assert says in str(caught.value)


def test_a_table_of_labels_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "a.png")
    with pytest.raises(LabelsError, match="labels.csv cannot be read"):
        true_labels(root, ["a.png"], Labels.CSV)


@pytest.mark.parametrize("kind", ["a link", "a dangling link", "a pipe", "too large"])
def test_a_table_of_labels_that_is_no_file_of_the_senders_is_refused(tmp_path: Path, kind: str) -> None:
    root = make(tmp_path / "scans", "a.png")
    secret = tmp_path / "secret"
    table = root / "labels.csv"
    if kind == "a pipe":
        os.mkfifo(table)
    elif kind == "too large":
        table.write_bytes(b"a.png,1\n")
        os.truncate(table, 64 * 1024 * 1024 + 1)
    else:
        table.symlink_to(secret)
        if kind == "a link":
            secret.write_text("root:$6$HASH\n")
    with pytest.raises(LabelsError, match="labels.csv") as caught:
        true_labels(root, ["a.png"], Labels.AUTO)
    assert "HASH" not in str(caught.value)
    assert caught.value.mend


def test_a_folder_of_the_tables_name_is_a_folder_like_any_other(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "labels.csv/5/a.png")
    files = list_files(root)
    assert files == ["labels.csv/5/a.png"]
    assert true_labels(root, files, Labels.AUTO) == [5]


def test_folders_may_be_nested_deeper_than_python_recurses(tmp_path: Path, nest: Nest) -> None:
    deepest = nest(tmp_path / "scans", 1100)
    (tmp_path / "scans" / "b.png").touch()
    assert list_files(tmp_path / "scans") == [f"{deepest}/a.png", "b.png"]


def test_folders_nested_deeper_than_a_path_may_be_long_are_refused(tmp_path: Path, nest: Nest) -> None:
    nest(tmp_path / "scans", 2100)
    assert look_at(tmp_path / "scans").files == 0
    with pytest.raises(SourceUnreadable, match="File name too long"):
        list_files(tmp_path / "scans")


def test_batches_hold_every_file_once_and_the_last_one_the_rest() -> None:
    files = [f"{number}.png" for number in range(7)]
    batches = cut(files, [number % 10 for number in range(7)], 3)
    assert [list(batch.paths) for batch in batches] == [files[:3], files[3:6], files[6:]]
    assert [list(batch.true_labels or []) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [batch.true_labels for batch in cut(files, None, 4)] == [None, None]


def test_class_folders_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    root = make(tmp_path / "scans", "a.png")
    with pytest.raises(LabelsError, match="scans has no class folders"):
        true_labels(root, ["a.png"], Labels.FOLDERS)
