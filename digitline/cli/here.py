"""The verbs that read images in this process, without queue or database."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.ledger.results import Result
from digitline import export
from digitline.cli.lazy import Later
from digitline.cli.screen import facts, screen
from digitline.records import as_json

if TYPE_CHECKING:
    from digitline import local, strip
else:
    local, strip = Later("digitline.local"), Later("digitline.strip")

Model = Annotated[Path | None, typer.Option(help="Model folder; default: DIGITLINE_MODEL, else the shipped one.")]


def predict(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Image files, and folders with all in them.")],
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, as `results` does.")] = False,
) -> None:
    """Read digits in this process, without queue or database; the same bytes get the same answer as on the line.

    Paths in a folder are printed relative to it. Exit code 1 if not one image could be read.
    """
    write = export.write_json if json else export.write_table
    statuses: Counter[str] = Counter()
    write(_counted(local.read_paths(paths, model=model), statuses), sys.stdout)
    if not statuses["scored"]:
        raise typer.Exit(1)


def explain(
    image: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Image file.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="PNG to write.")] = Path("strip.png"),
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="Print steps, probabilities and verdict as JSON.")] = False,
) -> None:
    """Show what every preprocessing step makes of one image, and the verdict.

    Writes a strip of pictures, from the original to the 28x28 pixels that the network sees, and the probabilities.
    """
    explanation = strip.explain(image, model=model)
    with export.replacing(output) as draft:
        strip.draw(explanation).savefig(draft, format="png")
    if json:
        print(as_json(_record(explanation, output)))
        return
    likely = sorted(enumerate(explanation.probabilities), key=lambda pair: -pair[1])
    screen().print(
        facts(
            [
                ("image", str(image)),
                ("read as", str(explanation.label)),
                ("verdict", f"{explanation.verdict}, confidence {explanation.confidence:.4f}"),
                ("next", ", ".join(f"{digit} {probability:.4f}" for digit, probability in likely[1:4])),
                ("steps", ", ".join(name for name, _ in explanation.steps)),
                ("picture", str(output)),
            ]
        )
    )


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Examples: digitline predict seven.png    digitline predict scans/ --json")(predict)
    app.command(epilog="Example: digitline explain seven.png --output seven-steps.png")(explain)


def _counted(results: Iterable[Result], statuses: Counter[str]) -> Iterator[Result]:
    for result in results:
        statuses[result.status] += 1
        yield result


def _record(explanation: strip.Explanation, output: Path) -> dict[str, object]:
    return {
        "path": explanation.path,
        "label": explanation.label,
        "confidence": round(explanation.confidence, 6),
        "verdict": explanation.verdict.value,
        "probabilities": [round(probability, 6) for probability in explanation.probabilities],
        "steps": [name for name, _ in explanation.steps],
        "picture": str(output),
    }
