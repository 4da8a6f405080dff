"""What the documents point at is there: files, links, modules and names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, code, rows, text

PACKAGES = ("core", "classifier", "scheduler", "worker", "training", "digitline", "migrations", "benchmarks")
#: What a name with a point in it may be beside code.
FILES = (".alive", ".sqlite", ".dump")
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


def _ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _module_of(dotted: str) -> tuple[Path, list[str]] | None:
    """The file of the longest prefix that is a module, and the names after it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file, parts[length:]
    return None


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    local = [link.split("#")[0] for link in links if not re.match(r"\w+:", link)]
    assert [link for link in local if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_source_file_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(PACKAGES)}|deploy|docs|tests)/[\w./-]+\.\w+)", page.read_text())
    assert [file for file in named if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_name_of_the_code_that_a_page_gives_is_there(page: Path) -> None:
    for dotted in re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`", page.read_text()):
        if dotted.endswith(FILES):
            continue
        found = _module_of(dotted)
        assert found is not None, dotted
        file, names = found
        for name in names:
            assert re.search(rf"\b{name}\b", file.read_text()), dotted


def test_the_glossary_uses_one_word_for_each_thing() -> None:
    words = [cells[0] for cells in rows(text("glossary.md")) if cells[0] not in {"word", "---"}]
    assert len(words) == len(set(words))
    assert all(code(cells[1]) for cells in rows(text("glossary.md")) if cells[0] not in {"word", "---"})


def test_decisions_are_numbered_without_a_gap_and_short() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for number, page in enumerate(DECISIONS, start=1):
        assert page.read_text().startswith(f"# {number}. ")
        assert len(page.read_text().splitlines()) < 80


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_a_page_is_short_enough_to_be_read(page: Path) -> None:
    assert len(page.read_text().splitlines()) < 300
