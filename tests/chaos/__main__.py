"""`make chaos`: disturb the line for minutes, by a seed, and say what was lost."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.soak import Report, soak

_RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "chaos.json"


def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="Of disturbance, for each seed.")] = 10.0,
    seed: Annotated[
        list[int] | None, typer.Option(help="What arrives and what breaks; several for several runs.")
    ] = None,
    output: Annotated[Path, typer.Option(help="File to write the report to.")] = _RESULTS,
    keep: Annotated[Path | None, typer.Option(help="Folder to keep home and logs in.")] = None,
) -> None:
    """Soak the whole line, on real servers and processes, in random faults, while folders of digits arrive.

    Exit code 1 where an image was lost, duplicated, unexpected or read otherwise than without faults.
    """
    console = Console(highlight=False)
    seeds = seed or [1]
    console.print(f"This takes about {len(seeds) * (minutes + 2):.0f} minutes.")
    reports = []
    for one in seeds:
        report = soak(minutes * 60, one, lambda what: console.print(f"  {what}", style="dim"), keep)
        reports.append(report)
        _show(console, report)
    output.write_text(json.dumps([_record(report) for report in reports], indent=2) + "\n", encoding="utf-8")
    if not all(report.clean for report in reports):
        raise typer.Exit(1)


def _show(console: Console, report: Report) -> None:
    record = _record(report)
    console.print(f"seed {report.seed}: {report.jobs} jobs, {report.images:,} images in {report.seconds:.0f} s")
    console.print("  " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in report.kills.most_common()))
    console.print(f"  {report.restarts} processes were started anew")
    console.print(f"  recovery p50={record['recovery_p50']} s p95={record['recovery_p95']} s")
    console.print(f"  lost={report.lost} duplicated={report.duplicated} unexpected={report.unexpected}")
    console.print(
        f"  mislabelled={report.mislabelled} unaccounted={report.unaccounted} "
        f"wrong_matrices={report.wrong_matrices} unended={report.unended}"
    )
    for complaint in report.complaints:
        console.print(f"  {complaint}", style="red", markup=False)


def _record(report: Report) -> dict[str, object]:
    recoveries = report.recoveries
    cuts = quantiles(recoveries, n=20, method="inclusive") if len(recoveries) > 1 else [0.0] * 19
    record = {one.name: getattr(report, one.name) for one in fields(report) if one.name != "recoveries"}
    return {
        **record,
        "kills": dict(report.kills),
        "seconds": round(report.seconds, 1),
        "faults": report.kills.total(),
        "recoveries": len(recoveries),
        "recovery_p50": round(cuts[9], 2),
        "recovery_p95": round(cuts[18], 2),
    }


if __name__ == "__main__":
    typer.run(main)
