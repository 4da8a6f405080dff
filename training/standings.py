"""Keep a comparison of methods: as a table, as data, as a chart, and as one page."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from training.compare import Row
from training.report import comparison_figure, png_data_url

#: Name of the files, before their endings.
NAME = "comparison"


def write_standings(rows: Sequence[Row], folder: Path, *, facts: Mapping[str, str | int]) -> list[Path]:
    """Write `comparison.csv`, `.json`, `.png`, `.svg` and `.html`; those of an earlier comparison are replaced.

    Args:
        rows: as `training.compare.compare` returns them.
        folder: where to; made where it is not there.
        facts: what else makes the comparison what it is, by name: command, seed, epochs.

    Returns:
        The files.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, data, chart, drawing, page = (
        folder / f"{NAME}.{ending}" for ending in ("csv", "json", "png", "svg", "html")
    )
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(row.as_dict() for row in rows)
    data.write_text(json.dumps({**facts, "rows": [row.as_dict() for row in rows]}, indent=2) + "\n", encoding="utf-8")
    figure = comparison_figure(rows)
    figure.savefig(chart)
    figure.savefig(drawing)
    template = _PAGES.get_template("comparison.html")
    page.write_text(template.render(rows=rows, facts=facts, chart=png_data_url(figure)), encoding="utf-8")
    return [table, data, chart, drawing, page]


_PAGES = Environment(loader=PackageLoader("training"), autoescape=select_autoescape(), trim_blocks=True)
