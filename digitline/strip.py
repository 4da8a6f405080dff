"""One image explained: what every preprocessing step makes of it, and what the network says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from classifier import preprocess
from classifier.images import decode, read_image
from classifier.preprocess import Image
from core.settings import get_settings
from core.vocabulary import DIGITS, Verdict
from digitline.local import AnyPath, load_predictor
from digitline.plain import printable

_INK = "#1f4e79"
_PALE = "#9db8d2"
_DOTS_PER_INCH = 110


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an image is read as it is."""

    path: str
    #: Names of the steps and their pictures: the original first, the prepared image last.
    steps: list[tuple[str, Image]]
    #: Calibrated probability of every digit, 0 to 1.
    probabilities: list[float]
    label: int
    confidence: float
    verdict: Verdict


def explain(path: Path, *, model: AnyPath | None = None) -> Explanation:
    """Read one image and keep what every step made of it.

    Raises:
        ImageRejected: the image cannot be read; the message says why.
        ArtifactError: the model folder is damaged, foreign or of another version.
    """
    settings = get_settings()
    target = path.resolve()
    data = read_image(target.parent, target.name, max_bytes=settings.max_bytes)
    steps = preprocess.explain(decode(data, max_pixels=settings.max_pixels))
    predictor = load_predictor(model)
    scores = predictor(steps[-1][1][np.newaxis])
    confidence = float(scores.confidences[0])
    confident_above = predictor.card.confident_above(settings.target_error)
    return Explanation(
        path=str(path),
        steps=steps,
        probabilities=[float(probability) for probability in scores.probabilities[0]],
        label=int(scores.labels[0]),
        confidence=confidence,
        verdict=Verdict.DIGIT if confidence > confident_above else Verdict.UNCERTAIN,
    )


def draw(explanation: Explanation) -> Figure:
    """Draw the steps side by side, and the probabilities beside them."""
    count = len(explanation.steps)
    figure = Figure(figsize=(1.9 * count + 3.2, 2.9), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    # A file's name is no formula, though it may hold a pair of dollar signs.
    figure.suptitle(_title(explanation), parse_math=False)
    widths = [1.0] * count + [1.5]
    *places, bars = figure.subplots(1, count + 1, width_ratios=widths)
    for place, (name, picture) in zip(places, explanation.steps, strict=True):
        _show(place, name, picture)
    colours = [_INK if digit == explanation.label else _PALE for digit in range(DIGITS)]
    bars.bar(range(DIGITS), explanation.probabilities, color=colours)
    bars.set(xticks=range(DIGITS), ylim=(0, 1), title="probability")
    return figure


def _title(explanation: Explanation) -> str:
    name = printable(Path(explanation.path).name)
    return f"{name}: read as {explanation.label}, confidence {explanation.confidence:.4f}, {explanation.verdict}"


def _show(place: Axes, name: str, picture: Image) -> None:
    height, width = picture.shape[:2]
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    smooth = "nearest" if max(height, width) <= 64 else "antialiased"
    place.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation=smooth)
    place.set_title(f"{name}\n{width}x{height}", fontsize=8)
    place.set_axis_off()
