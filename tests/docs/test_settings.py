"""docs/settings.md says what core/settings.py does."""

from __future__ import annotations

from core.settings import Settings
from tests.docs.pages import code, rows, text

LISTED = {code(cells[0])[0]: cells for cells in rows(text("settings.md")) if code(cells[0])}


def test_the_table_names_exactly_the_settings() -> None:
    named = [code(cells[0])[0] for cells in rows(text("settings.md")) if code(cells[0])]
    assert sorted(named) == sorted(Settings.model_fields)


def test_the_table_gives_the_defaults() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items() if field.default is not None}
    listed = {name: LISTED[name][1].strip("`").replace(",", "") for name in defaults}
    assert listed == {name: str(default) for name, default in defaults.items()}
