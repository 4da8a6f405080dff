"""The verbs that read images in this process, without queue or database."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.ledger.results import Result
from core.sources import Prefix, Source, source_of
from digitline import export
from digitline.cli.lazy import Later
from digitline.cli.options import Json, JsonLines, ModelFolder, Split
from digitline.cli.screen import busy, facts, tell

if TYPE_CHECKING:
    from digitline import explanation as explanations
    from digitline import local, strip
    from digitline.explanation import ExplainedDigit, Explanation
else:
    explanations, local, strip = map(Later, ("digitline.explanation", "digitline.local", "digitline.strip"))


def predict(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Image files, folders with all in them, and s3://bucket/prefix.")
    ],
    model: ModelFolder = None,
    split: Split = None,
    json: JsonLines = False,
) -> None:
    """Read digits in this process, without queue or database; the same bytes get the same answer as on the line.

    Paths in a folder are printed relative to it. Exit code 1 if not one image could be read.
    """
    write = export.write_json if json else export.write_table
    statuses: Counter[str] = Counter()
    sources = [_existing(path) for path in paths]
    with busy("Loading the model"):
        local.load_predictor(model)
    write(_counted(local.read_paths(sources, model=model, split=split), statuses), sys.stdout)
    if not statuses["scored"]:
        raise typer.Exit(1)


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", exists=True, dir_okay=False, help="Image file.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="PNG to write.")] = Path("strip.png"),
    model: ModelFolder = None,
    split: Split = None,
    json: Json = False,
) -> None:
    """Show what every preprocessing step makes of one image, and why the verdict is what it is.

    Writes a strip of pictures, from the original to the 28x28 pixels that the network sees, and the probabilities;
    of a picture that is not scored, the steps up to where it was turned away.
    """
    with busy("Reading the image and drawing the strip"):
        explanation = explanations.explain(image, model=model, split=split)
        with export.replacing(output) as draft:
            strip.draw(explanation).savefig(draft, format="png")
    reading, verdict = explanation.reading, explanation.verdict
    told = [
        ("image", str(image)),
        ("read as", None if reading is None else f"{reading.label}, confidence {reading.confidence:.4f}"),
        ("verdict", None if verdict is None else verdict.value),
        ("why", explanation.words),
        ("steps", ", ".join(name for name, _ in explanation.steps)),
        ("picture", str(output)),
    ]
    tell(_record(explanation, output), facts(told), json=json)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Examples: digitline predict seven.png    digitline predict scans/ --json")(predict)
    app.command(epilog="Example: digitline explain seven.png --output seven-steps.png")(explain)


def _existing(given: str) -> Source:
    source = source_of(given)
    if not isinstance(source, Prefix) and not source.exists():
        raise typer.BadParameter(f"Path '{given}' does not exist.", param_hint="PATH")
    return source


def _counted(results: Iterable[Result], statuses: Counter[str]) -> Iterator[Result]:
    for result in results:
        statuses[result.status] += 1
        yield result


def _record(explanation: Explanation, output: Path) -> dict[str, object]:
    reading, rejection = explanation.reading, explanation.rejection
    return {
        "path": explanation.path,
        "status": "scored" if rejection is None else "rejected",
        "label": None if reading is None else reading.label,
        "confidence": None if reading is None else round(reading.confidence, 6),
        "verdict": None if explanation.verdict is None else explanation.verdict.value,
        "reason": None if rejection is None else rejection.reason.value,
        "why": explanation.words,
        "digits": [_digit_record(digit) for digit in explanation.digits],
        "steps": [name for name, _ in explanation.steps],
        "picture": str(output),
    }


def _digit_record(digit: ExplainedDigit) -> dict[str, object]:
    return {
        "label": digit.label,
        "confidence": round(digit.confidence, 6),
        "verdict": digit.verdict.value,
        "probabilities": [round(probability, 6) for probability in digit.probabilities],
        "energy": round(digit.energy, 4),
    }
