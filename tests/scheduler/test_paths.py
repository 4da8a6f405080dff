"""A million paths are listed in the order in which they would be sorted, and kept in little memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.folder import Paths, cut, find_files, list_files

#: Names that sort before and after a `/`.
NAMES = st.text("a-.0Z", min_size=1, max_size=3).filter(lambda name: not name.startswith("."))


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12))
def test_files_are_listed_in_the_order_of_their_whole_paths(paths: set[str]) -> None:
    with TemporaryDirectory() as folder:
        made = set()
        for path in sorted(paths):
            file = Path(folder, path)
            if not file.exists() and not any(parent in made for parent in file.parents):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
                made.add(file)
        assert list_files(Path(folder)) == sorted(str(file.relative_to(folder)) for file in made)


def test_paths_are_a_sequence(tmp_path: Path) -> None:
    names = [f"{number:04}.png" for number in range(600)]
    for name in names:
        (tmp_path / name).touch()
    found = find_files(tmp_path)
    assert (len(found), list(found), found[0], found[-1], found[255:258]) == (
        600,
        names,
        names[0],
        names[-1],
        names[255:258],
    )
    assert names[300] in found
    assert [list(batch.paths) for batch in cut(found, None, 250)] == [names[:250], names[250:500], names[500:]]


def test_no_paths_are_no_path() -> None:
    assert (len(Paths([])), list(Paths([]))) == (0, [])
    with pytest.raises(IndexError):
        Paths([])[0]
