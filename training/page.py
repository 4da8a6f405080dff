"""One self-contained HTML page about what was measured of a model."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import cv2
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from classifier.artifact import Card
from classifier.preprocess import Image
from core.vocabulary import DIGITS
from training.measure import Measurement
from training.report import (
    confidence_figure,
    confusion_figure,
    corruption_figure,
    coverage_risk_figure,
    png_data_url,
    reliability_figure,
    training_figure,
)

#: Most mistakes that are shown as pictures, the worst first.
SHOWN_MISTAKES = 60
#: What a plot of the training needs.
_CURVES = frozenset({"loss", "validation_loss", "accuracy", "validation_accuracy"})


def evaluation_page(
    measurement: Measurement,
    images: Image,
    card: Card,
    *,
    facts: Mapping[str, str] | None = None,
    corruptions: Mapping[str, float] | None = None,
) -> str:
    """Make one page of a measurement.

    Args:
        measurement: what the page is of.
        images: uint8, (n, 28, 28), the prepared digits that were measured on, for the pictures of the mistakes.
        card: of the model.
        facts: further lines about the measurement, by name: data, date, command.
        corruptions: accuracy, 0 to 1, by the name of the corruption.

    Returns:
        HTML that loads nothing from anywhere.
    """
    return _PAGES.get_template("evaluation.html").render(
        card=card,
        measurement=measurement,
        evaluation=measurement.evaluation,
        facts=facts or {},
        digits=range(DIGITS),
        plots=_drawn(_plots(measurement)),
        training_plots=_drawn(_training_plots(card)),
        corruptions=corruptions or {},
        corruption_plot=png_data_url(corruption_figure(corruptions)) if corruptions else "",
        mistakes=[(mistake, picture(images[mistake.position])) for mistake in measurement.mistakes[:SHOWN_MISTAKES]],
    )


def picture(image: Image) -> str:
    """Turn a digit, uint8, (28, 28), ink bright on 0, into a `data:` URL that shows it dark on white."""
    _, content = cv2.imencode(".png", cv2.bitwise_not(image))
    return f"data:image/png;base64,{base64.b64encode(content.tobytes()).decode()}"


def _plots(measurement: Measurement) -> dict[str, Figure]:
    """Draw what is measured, by alternative text."""
    evaluation, curve = measurement.evaluation, measurement.curve
    wrong = len(measurement.mistakes)
    return {
        f"Confusion matrix: rows are true digits, columns predicted ones; {wrong:,} of {evaluation.images:,} "
        "images lie off the diagonal.": confusion_figure(evaluation.confusion_matrix),
        "Reliability: how often labels of a confidence are right; a calibrated model keeps to the diagonal. "
        f"The calibration error is {evaluation.calibration_error or 0:.2%}.": reliability_figure(
            measurement.confidences, measurement.correct
        ),
        "Confidence: how many images were read with which confidence, right and wrong ones apart.": confidence_figure(
            measurement.confidences, measurement.correct
        ),
        f"Coverage and risk: of the surest images, how many are wrong. {measurement.coverage:.2%} are sure enough for "
        f"a target error of {measurement.target_error:.2%}.": coverage_risk_figure(
            curve.coverage, curve.risk, target_error=measurement.target_error, answered=measurement.coverage
        ),
    }


def _training_plots(card: Card) -> dict[str, Figure]:
    """Draw how each network was trained, by alternative text; nothing where the card does not say."""
    return {
        f"Loss and errors by epoch of {network.file} ({network.architecture}).": training_figure(network.history)
        for network in card.networks
        if network.history.keys() >= _CURVES
    }


def _drawn(figures: Mapping[str, Figure]) -> dict[str, str]:
    return {text: png_data_url(figure) for text, figure in figures.items()}


_PAGES = Environment(loader=PackageLoader("training"), autoescape=select_autoescape(), trim_blocks=True)
_PAGES.filters["percent"] = lambda share: f"{share:.2%}"
_PAGES.filters["number"] = lambda count: f"{count:,.0f}"
