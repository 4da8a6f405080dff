"""docs/ledger.md describes the ledger that there is, and its queries run on both databases."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import inspect, text

from core import tables
from core.database import Database
from tests.core.examples import create_job, score
from tests.docs import pages

PAGE = pages.text("ledger.md")
QUERIES = pages.blocks(PAGE, "sql")


def _titles() -> list[str]:
    return [PAGE[: PAGE.index(query)].strip().removesuffix("```sql").strip().splitlines()[-1] for query in QUERIES]


@pytest.fixture
def scored(database: Database) -> Database:
    """A ledger with a job in which one image was misread and one rejected."""
    score(database, create_job(database, [6, 4], labelled=True), [[0, 1, 2, 3, 4, 9], [0, 1, 2, None]])
    return database


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 6


@pytest.mark.parametrize("query", QUERIES, ids=_titles())
def test_a_query_of_the_page_runs(scored: Database, query: str) -> None:
    with scored.read() as connection:
        found = connection.execute(text(query.strip().removesuffix(";"))).all()
    nothing_to_find = "open <> 0" in query or "HAVING" in query
    assert bool(found) is not nothing_to_find


def test_the_accuracy_is_the_share_of_right_labels(scored: Database) -> None:
    query = next(query for query in QUERIES if "AS accuracy" in query)
    with scored.read() as connection:
        ((_, accuracy),) = connection.execute(text(query.strip().removesuffix(";"))).all()
    assert float(accuracy) == pytest.approx(8 / 9)


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: table.name)
def test_the_page_names_every_table_and_its_columns(table: object) -> None:
    assert f"**{table.name}**" in PAGE
    named = set(re.findall(r"`(\w+)`", PAGE))
    technical = {"id", "batch_id"} if table.name in {"confusion", "corrections"} else set()
    assert set(table.columns.keys()) - technical <= named


def test_the_page_names_every_view_and_its_columns(sqlite: Database) -> None:
    listed = {
        pages.code(cells[0])[0]: pages.code(cells[2])
        for cells in pages.rows(PAGE)
        if len(cells) == 3 and "`" in cells[0]
    }
    inspector = inspect(sqlite.engine)
    there = {view: [column["name"] for column in inspector.get_columns(view)] for view in inspector.get_view_names()}
    assert listed == there
