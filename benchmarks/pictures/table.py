"""The findings as tables for people and as an object for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from benchmarks.pictures.bench import Reading, Row, share
from benchmarks.pictures.measures import Measure
from digitline.cli.screen import percent, table

#: Outcomes that a row names; rarer ones are summed up.
_NAMED = 4


def print_findings(console: Console, clean: Sequence[Reading], rows: Sequence[Row], found: Sequence[Measure]) -> None:
    """Print a table of the generators, and one of the measures."""
    columns = ("generator", "kind", "pictures", "right", "points", "labels", "sure", "outcomes")
    lines = [_clean_line(clean)] if clean else []
    lines += [_line(row) for row in rows]
    console.print(table(columns, lines, numbers=("pictures", "right", "points", "labels", "sure")))
    console.print()
    goals = [(one.name, one.of, *_figures(one), _verdict(one)) for one in found]
    console.print(table(("measure", "of", "figure", "goal", "met"), goals, numbers=("figure", "goal")))


def as_record(clean: Sequence[Reading], rows: Sequence[Row], found: Sequence[Measure]) -> dict[str, object]:
    """The findings as an object: `clean`, `generators` and `measures`."""
    return {
        "clean": {
            "pictures": len(clean),
            "accuracy": share(reading.right for reading in clean) if clean else None,
            "sure": share(reading.sure for reading in clean) if clean else None,
        },
        "generators": [
            {
                "name": row.generator.name,
                "kind": row.generator.kind.value,
                "sentence": row.generator.sentence,
                "pictures": len(row.readings),
                "accuracy": row.accuracy,
                "difference": row.difference,
                "label_difference": row.label_difference,
                "sure": row.sure,
                "outcomes": row.outcomes,
            }
            for row in rows
        ],
        "measures": [
            {"name": one.name, "of": one.of, "value": one.value, "goal": one.goal, "met": one.met} for one in found
        ],
    }


def _clean_line(clean: Sequence[Reading]) -> tuple[str, ...]:
    right = share(reading.right for reading in clean)
    sure = share(reading.sure for reading in clean)
    return ("clean", "MNIST", f"{len(clean):,}", percent(right), "", "", percent(sure), "")


def _line(row: Row) -> tuple[str, ...]:
    return (
        row.generator.name,
        row.generator.kind.value,
        f"{len(row.readings):,}",
        percent(row.accuracy),
        _points(row.difference),
        _points(row.label_difference),
        percent(row.sure),
        _outcomes(row),
    )


def _points(difference: float | None) -> str:
    return "" if difference is None else f"{difference:+.2f}"


def _outcomes(row: Row) -> str:
    shares = list(row.outcomes.items())
    named = [f"{outcome} {percent(part, 1)}" for outcome, part in shares[:_NAMED]]
    rest = sum(part for _, part in shares[_NAMED:])
    return ", ".join([*named, f"other {percent(rest, 1)}"] if rest else named)


def _figures(one: Measure) -> tuple[str, str]:
    if one.points:
        return f"{one.value:.2f} points", f"at most {one.goal:.2f}"
    return percent(one.value), f"at least {percent(one.goal, 0)}"


def _verdict(one: Measure) -> Text:
    return Text("yes", style="green") if one.met else Text("no", style="red")
