"""Why one image is read as it is: what every step made of it, what the network says, and the verdict in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classifier import preprocess
from classifier.artifact import Card
from classifier.predict import Predictor, Scores
from classifier.preprocess import Image
from classifier.readings import Reading, read
from classifier.strings import ways_to_read
from core.errors import ImageRejected
from core.settings import get_settings
from core.vocabulary import Verdict
from digitline.local import AnyPath, load_file, load_predictor
from worker.seen import PICTURES_FAULT, Seen

#: How many times likelier than the runner-up a digit is at the most that the model is torn about.
_TORN = 10


@dataclass(frozen=True, slots=True)
class ExplainedDigit:
    """One digit of an image."""

    #: uint8, (28, 28): what the network sees.
    prepared: Image
    label: int
    confidence: float
    #: What it is taken for by itself.
    verdict: Verdict
    #: Calibrated probability of every digit, 0 to 1.
    probabilities: tuple[float, ...]
    #: How unlike the digits that the model learned from it is; see `Scores.energies`.
    energy: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an image is read as it is."""

    path: str
    #: Names of the steps that had an effect and their pictures, the original first; up to the refusal where it is rejected.
    steps: tuple[tuple[str, Image], ...]
    #: From left to right, one but for a string; none where it is rejected.
    digits: tuple[ExplainedDigit, ...]
    #: What is read; None where it is rejected.
    reading: Reading | None
    #: Why it is rejected.
    rejection: ImageRejected | None
    #: The verdict in a sentence.
    words: str

    @property
    def verdict(self) -> Verdict | None:
        """What the image is taken for; None where a rejection says nothing about what it shows."""
        if self.reading is not None:
            return self.reading.verdict
        return None if self.rejection is None else self.rejection.reason.verdict


def explain(path: Path, *, model: AnyPath | None = None, split: bool | None = None) -> Explanation:
    """Read one image and keep what every step made of it.

    Args:
        path: of the file.
        model: the model folder; default: the setting `model`, else the shipped one.
        split: whether a picture of several digits is read as one string; default: the setting `split`.

    Raises:
        ImageRejected: the file holds no picture that can be decoded; the message says why.
        ArtifactError: the model folder is damaged, foreign or of another version.
    """
    settings = get_settings()
    data, picture = load_file(path, settings)
    split = settings.split if split is None else split
    return explain_picture(str(path), data, picture, lambda: load_predictor(model), split=split)


def explain_picture(
    path: str, data: bytes, picture: Image, load: Callable[[], Predictor], *, split: bool
) -> Explanation:
    """As `explain`, of a picture that is decoded already.

    Args:
        path: what the image is called.
        data: the file's bytes.
        picture: uint8, what they hold, as `classifier.images.decode` gives it.
        load: gives the model; not asked where the picture is refused before.
        split: whether a picture of several digits is read as one string.

    Raises:
        ArtifactError: as `load` does.
    """
    steps = preprocess.explain(picture).steps
    seen = Seen()
    try:
        seen.add(0, data, ways_to_read(picture, split=split))
    except PICTURES_FAULT as error:
        seen.refuse(0, path, error)
        return Explanation(path, steps, (), None, seen.refusals[0], str(seen.refusals[0]))
    return _read(path, steps, seen, load(), get_settings().target_error)


def _read(
    path: str, steps: tuple[tuple[str, Image], ...], seen: Seen, predictor: Predictor, target_error: float
) -> Explanation:
    prepared, card = seen.digits, predictor.card
    scores = predictor(prepared)
    (reading,) = read(scores, seen.ways, card, target_error)
    # Once more, each by itself, for a verdict of its own.
    alone = read(scores, [[[1]]] * len(prepared), card, target_error)
    digits = tuple(_digit(prepared, scores, alone[place], place) for place in reading.places)
    return Explanation(path, steps, digits, reading, None, _words(digits, card, target_error))


def _digit(prepared: Image, scores: Scores, alone: Reading, place: int) -> ExplainedDigit:
    return ExplainedDigit(
        prepared=prepared[place],
        label=int(scores.labels[place]),
        confidence=alone.confidence,
        verdict=alone.verdict,
        probabilities=tuple(scores.probabilities[place].tolist()),
        energy=float(scores.energies[place]),
    )


def _words(digits: Sequence[ExplainedDigit], card: Card, target_error: float) -> str:
    """Say why the verdict is what it is; of a string, digit by digit where one is doubtful."""
    if len(digits) == 1:
        return f"It {_sentence(digits[0], card, target_error)}"
    doubtful = [
        f"Digit {place} {_sentence(digit, card, target_error)}"
        for place, digit in enumerate(digits, start=1)
        if digit.verdict is not Verdict.DIGIT
    ]
    return " ".join(doubtful) or f"Each of its {len(digits)} digits is sure; its confidence is the product of theirs."


def _sentence(digit: ExplainedDigit, card: Card, target_error: float) -> str:
    first, second = sorted(range(len(digit.probabilities)), key=lambda label: -digit.probabilities[label])[:2]
    likely, next_likely = digit.probabilities[first], digit.probabilities[second]
    if digit.verdict is Verdict.NOT_A_DIGIT:
        return (
            "is not like any digit that the model learned from: "
            f"energy {digit.energy:.2f}, above {card.energy_limit:.2f}. {first} comes nearest."
        )
    if card.energy_doubt is not None and digit.energy > card.energy_doubt:
        return (
            f"may be {_a(first)} ({likely:.4f}), but is less like a digit than those that the model is sure of: "
            f"energy {digit.energy:.2f}, above {card.energy_doubt:.2f}."
        )
    if digit.verdict is Verdict.DIGIT:
        return f"is {_a(first)} ({likely:.4f}); {second} comes next ({next_likely:.4f})."
    torn = f"is torn between {first} and {second} ({likely:.4f} and {next_likely:.4f})"
    doubt = torn if _TORN * next_likely > likely else f"may be {_a(first)} ({likely:.4f})"
    needed = card.confident_above(target_error)
    promise = "no confidence promises" if needed >= 1 else f"only a confidence above {needed:.4f} promises"
    return f"{doubt}; {promise} that at most {target_error:.2%} are wrong."


def _a(label: int) -> str:
    return f"an {label}" if label == 8 else f"a {label}"
