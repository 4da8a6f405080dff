"""The verb that measures a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import get_settings
from core.vocabulary import DIGITS
from digitline.cli.data import find_data, step_progress
from digitline.cli.lazy import Later
from digitline.cli.options import MOST_SEED, Data, Json, ModelFolder
from digitline.cli.screen import busy, facts, percent, rate, screen, table
from digitline.export import replacing
from digitline.records import as_json

if TYPE_CHECKING:
    from classifier import predict
    from digitline import local
    from training import dataset as datasets
    from training import evaluate as judging
    from training import measure as measuring
    from training import page as pages
else:
    local = Later("digitline.local")
    datasets = Later("training.dataset")
    measuring = Later("training.measure")
    pages = Later("training.page")


TargetError = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Share of wrong labels to bear among the sure ones, as 0.005; default: DIGITLINE_TARGET_ERROR.",
    ),
]
Corruptions = Annotated[
    bool, typer.Option("--corruptions", help="Measure on spoilt digits too: turned, blurred, foggy and so on.")
]
SeedOfChance = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the chance in the corruptions.")]
Page = Annotated[Path | None, typer.Option(help="HTML page to write, with plots and the worst mistakes.")]


def evaluate(
    data: Data = None,
    model: ModelFolder = None,
    target_error: TargetError = None,
    corruptions: Corruptions = False,
    seed: SeedOfChance = 3,
    output: Page = None,
    json: Json = False,
) -> None:
    """Measure a model on digits that it has not seen: how good, how sure, how fast; MNIST's test digits or your own.

    Of MNIST's files only the test digits are read. Class folders are read whole.
    """
    source = find_data(data)
    borne = get_settings().target_error if target_error is None else target_error
    with busy("Reading the digits and measuring the model"):
        digits, paths = _digits(source)
        predictor = local.load_predictor(model)
        measured = measuring.measure(predictor, digits, target_error=borne, paths=paths)
    spoilt = _spoilt(predictor, digits, seed) if corruptions else {}
    if output is not None:
        page = pages.evaluation_page(measured, digits.images, predictor.card, facts=_told(source), corruptions=spoilt)
        with replacing(output) as draft:
            draft.write_text(page, encoding="utf-8")
    if json:
        print(as_json({**measured.as_dict(), **_spoilt_record(spoilt, seed)}))
    else:
        _print(predictor.card.name, measured, spoilt)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline evaluate --data mnist/ --corruptions --output report.html")(evaluate)


def _digits(data: Path | None) -> tuple[datasets.Digits, list[str] | None]:
    """Prepared digits, and their files where each has one."""
    paths = None
    if data is not None and datasets.has_class_folders(data):
        paths = [path for path, _ in datasets.labelled_images(data)]
    return datasets.load_to_measure(data), paths


def _spoilt(predictor: predict.Predictor, digits: datasets.Digits, seed: int) -> Mapping[str, float]:
    with step_progress("corruptions") as progress:
        return measuring.measure_corruptions(predictor, digits, seed=seed, progress=progress)


def _told(data: Path | None) -> dict[str, str]:
    """What the page says of how it was made."""
    folders = data is not None and datasets.has_class_folders(data)
    digits = f"class folders of {data}" if folders else "MNIST's 10,000 test digits"
    return {"Measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "Data": digits}


def _spoilt_record(spoilt: Mapping[str, float], seed: int) -> dict[str, object]:
    return {"corruptions": {"mean": fmean(spoilt.values()), "seed": seed, "accuracy": dict(spoilt)}} if spoilt else {}


def _print(name: str, measured: measuring.Measurement, spoilt: Mapping[str, float]) -> None:
    console = screen()
    console.print(facts(_summary(name, measured)))
    console.print()
    _print_digits(measured.evaluation)
    if spoilt:
        console.print()
        shares = {**spoilt, "mean": fmean(spoilt.values())}
        rows = [(spoiling.replace("_", " "), percent(share)) for spoiling, share in shares.items()]
        console.print(table(("spoilt by", "accuracy"), rows, numbers=("accuracy",)))


def _summary(name: str, measured: measuring.Measurement) -> list[tuple[str, str]]:
    found, fast = measured.evaluation, measured.fast
    low, high = found.accuracy_interval
    sure = f"{percent(measured.coverage)}, those with a confidence above {measured.confident_above:.4f}"
    return [
        ("model", name),
        ("images", f"{found.images:,}"),
        ("accuracy", f"{percent(found.accuracy)} (95 % interval {percent(low)} to {percent(high)})"),
        ("macro precision", percent(found.macro_precision)),
        ("macro recall", percent(found.macro_recall)),
        ("macro F1", percent(found.macro_f1)),
        ("calibration error", percent(found.calibration_error)),
        ("target error", percent(measured.target_error)),
        ("sure enough for it", sure),
        ("wrong among those", percent(measured.risk)),
        ("speed", rate(measured.images_per_second)),
        ("escalated", "" if fast is None else percent(found.escalated_share)),
        ("fast network alone", "" if fast is None else percent(fast.accuracy)),
        ("its speed", rate(measured.fast_images_per_second)),
    ]


def _print_digits(evaluation: judging.Evaluation) -> None:
    columns = ("digit", "precision", "recall", "F1", "images", *(f"as {digit}" for digit in range(DIGITS)))
    rows = (
        (
            digit,
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
            f"{score.images:,}",
            *evaluation.confusion_matrix[digit].tolist(),
        )
        for digit, score in enumerate(evaluation.per_class)
    )
    screen().print(table(columns, rows, numbers=columns))
