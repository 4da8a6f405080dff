"""The picture of an explanation: its steps, what the network sees of each digit, and the probabilities."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from classifier.preprocess import Image
from core.plain import printable
from core.vocabulary import DIGITS, Reason, Verdict
from digitline.explanation import ExplainedDigit, Explanation
from training.sheet import INK, WRONG, sheet

_TEXT, _SOFT = "#1b2733", "#5b6b7a"
_PALE = "#c3d2e0"
#: Colours of the verdicts; what has none could not be scored either.
_COLOURS = {Verdict.DIGIT: "#2d6a3e", Verdict.UNCERTAIN: "#8a6d1a"}

#: Steps, and digits, side by side.
_STEPS_ABREAST, _DIGITS_ABREAST = 6, 2
#: Inches: width of all, heights of the title, of the words around a step, of the tallest step and of a row of digits.
_WIDTH, _TITLE, _AROUND, _STEP, _DIGIT = 11.0, 0.85, 0.62, 1.5, 2.15
#: Characters of a line of the title, and of one above a step.
_LINE, _NAME = 140, 28
#: Probabilities from this on are written above their bars.
_WRITTEN = 0.01


def draw(explanation: Explanation) -> Figure:
    """Draw the verdict, the steps, and of each digit the 28x28 pixels and the ten probabilities."""
    words = textwrap.wrap(printable(explanation.words), _LINE)
    heights = [_TITLE + 0.2 * len(words), sum(_step_heights(explanation))]
    if explanation.digits:
        heights.append(_DIGIT * math.ceil(len(explanation.digits) / _DIGITS_ABREAST))
    figure = sheet(_WIDTH, sum(heights))
    title, steps, *digits = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).ravel()
    _write_title(title, explanation, words, heights[0])
    _draw_steps(steps, explanation)
    for part in digits:
        _draw_digits(part, explanation.digits)
    return figure


def _write_title(part: SubFigure, explanation: Explanation, words: Sequence[str], height: float) -> None:
    verdict = explanation.verdict
    colour = WRONG if verdict is None else _COLOURS.get(verdict, WRONG)
    # A file's name is no formula, though it may hold a pair of dollar signs.
    name = printable(Path(explanation.path).name)
    part.text(0.012, 1 - 0.16 / height, name, fontsize=10, color=_SOFT, va="top", parse_math=False)
    part.text(0.012, 1 - 0.40 / height, _headline(explanation), fontsize=17, color=colour, va="top", weight="bold")
    part.text(0.012, 1 - 0.76 / height, "\n".join(words), fontsize=10, color=_TEXT, va="top", parse_math=False)


def _headline(explanation: Explanation) -> str:
    verdict, reading = explanation.verdict, explanation.reading
    word = "not scored" if verdict is None else _spoken(verdict)
    if reading is None:
        return word
    if verdict is Verdict.NOT_A_DIGIT:
        return f"{word}; nearest: {reading.label}"
    return f"{reading.label}   {word}, confidence {reading.confidence:.4f}"


def _step_heights(explanation: Explanation) -> list[float]:
    """Inches of each row of steps; the tile of a refusal comes after the last step."""
    slopes = [picture.shape[0] / picture.shape[1] for _, picture in explanation.steps]
    slopes += [0.4] if explanation.rejection is not None else []
    rows = (slopes[start : start + _STEPS_ABREAST] for start in range(0, len(slopes), _STEPS_ABREAST))
    return [_AROUND + min(_STEP, max(row) * _WIDTH / _STEPS_ABREAST) for row in rows]


def _draw_steps(part: SubFigure, explanation: Explanation) -> None:
    heights = _step_heights(explanation)
    tiles = part.subplots(len(heights), _STEPS_ABREAST, squeeze=False, height_ratios=heights)
    places = iter(tiles.ravel())
    for number, ((name, picture), place) in enumerate(zip(explanation.steps, places, strict=False)):
        height, width = picture.shape[:2]
        _show(place, picture)
        title = textwrap.fill(f"{number}  {name}" if number else name, _NAME)
        place.set_title(title, fontsize=8.5, color=_TEXT)
        place.set_xlabel(f"{width} x {height}", fontsize=7.5, color=_SOFT, labelpad=3)
    if explanation.rejection is not None:
        reason = _spoken(explanation.rejection.reason)
        next(places).text(0.5, 0.5, f"turned away:\n{reason}", ha="center", va="center", fontsize=11, color=WRONG)
    # What is left is empty, and the tile of the refusal has no frame.
    for place in part.axes[len(explanation.steps) :]:
        place.set_axis_off()


def _draw_digits(part: SubFigure, digits: Sequence[ExplainedDigit]) -> None:
    rows = math.ceil(len(digits) / _DIGITS_ABREAST)
    abreast = min(_DIGITS_ABREAST, len(digits))
    places = part.subplots(rows, 2 * abreast, squeeze=False, width_ratios=[1, 2.2 if abreast > 1 else 3.6] * abreast)
    for row in places.reshape(-1, 2)[len(digits) :]:
        for place in row:
            place.set_axis_off()
    for (seen, bars), digit in zip(places.reshape(-1, 2), digits, strict=False):
        _show(seen, digit.prepared)
        seen.set_title("what the network sees", fontsize=8.5, color=_TEXT)
        seen.set_xlabel("28 x 28", fontsize=7.5, color=_SOFT, labelpad=3)
        _draw_bars(bars, digit)


def _spoken(word: Verdict | Reason) -> str:
    return word.value.replace("_", " ")


def _draw_bars(place: Axes, digit: ExplainedDigit) -> None:
    colour = INK if digit.verdict is Verdict.DIGIT else _COLOURS.get(digit.verdict, WRONG)
    colours = [colour if label == digit.label else _PALE for label in range(DIGITS)]
    bars = place.bar(range(DIGITS), digit.probabilities, color=colours, width=0.72)
    written = [f"{share:.3f}" if share >= _WRITTEN else "" for share in digit.probabilities]
    place.bar_label(bars, written, fontsize=7.5, color=_TEXT, padding=1.5)
    place.set(xticks=range(DIGITS), ylim=(0, 1.14), yticks=[0, 0.5, 1])
    place.set_title(f"{digit.label}, {_spoken(digit.verdict)}: probability", fontsize=8.5, color=_TEXT)
    place.tick_params(length=0, labelsize=8.5, labelcolor=_SOFT)
    place.grid(axis="y", color="#e6ebf0", linewidth=0.8)
    place.set_axisbelow(True)
    place.spines[["top", "right", "left"]].set_visible(False)
    place.spines["bottom"].set_color(_PALE)


def _show(place: Axes, picture: Image) -> None:
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    smooth = "nearest" if max(picture.shape[:2]) <= 64 else "antialiased"
    place.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation=smooth)
    place.set(xticks=[], yticks=[])
    for side in place.spines.values():
        side.set_color("#c9d3dc")
        side.set_linewidth(0.8)
