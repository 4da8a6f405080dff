"""Two models side by side on what people reviewed: both read the same images anew, and people's words are the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from classifier.artifact import read_card
from classifier.images import decode
from classifier.predict import Predictor, Scores
from classifier.preprocess import Image, prepare
from core.errors import DigitlineError, ImageRejected
from core.ledger.corrected import Reviewed
from core.ledger.shadows import Comparison, Difference, Disagreement
from core.settings import Settings
from core.vocabulary import Model, Runtime
from digitline.cli.models_gate import learned_from
from digitline.corrected import Files

#: Images that are held in memory at a time.
_AT_ONCE = 256


@dataclass(slots=True)
class Contest:
    """How two models read reviewed images."""

    comparison: Comparison
    #: Images that one of the two learned from, which would speak for it; they are not compared.
    learned: int
    #: Why an image could not be compared, by its path.
    missing: list[tuple[str, str]]


@dataclass(slots=True)
class _Score:
    """What has been counted so far."""

    shown: int
    images: int = 0
    alike: int = 0
    right: Counter[str] = field(default_factory=Counter)
    #: By what the two read: images, and those that each read right.
    differences: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)

    def count(self, image: Reviewed, read: tuple[int, int], sure: tuple[float, float]) -> None:
        """Count one image."""
        first, second = (label == image.word.label for label in read)
        self.images += 1
        self.right.update(production=first, challenger=second)
        if read[0] == read[1]:
            self.alike += 1
            return
        counts = self.differences.setdefault(read, [0, 0, 0])
        for place, more in enumerate((1, first, second)):
            counts[place] += more
        said = (read[0], sure[0], read[1], sure[1], image.word.label)
        found = Disagreement(image.job_id, image.job_name, image.path, *said, image.batch, image.position)
        self.disagreements.append(found)
        # Only the surest are shown, and memory must not grow with the images.
        if len(self.disagreements) > 2 * self.shown + _AT_ONCE:
            self.disagreements = self.surest()

    def surest(self) -> list[Disagreement]:
        """Those of which both models were the surest first."""
        ranked = sorted(self.disagreements, key=lambda one: -min(one.production_confidence, one.challenger_confidence))
        return ranked[: self.shown]


def compare_on_corrections(
    production: Model, challenger: Model, images: Sequence[Reviewed], settings: Settings, *, shown: int = 10
) -> Contest:
    """Let two models read every reviewed image that shows one digit and that neither learned from.

    Args:
        production: the one.
        challenger: the other.
        images: reviewed ones.
        settings: how images are read, and by which runtime.
        shown: disagreements to give at the most.

    Raises:
        ArtifactError: one of the models cannot be loaded.
    """
    learned = learned_from(production) | learned_from(challenger)
    fresh = [one for one in images if one.word.label is not None and one.sha256 not in learned]
    missing: list[tuple[str, str]] = []
    score = _Score(shown)
    first, second = (_predictor(model, settings) for model in (production, challenger))
    with Files(settings) as files:
        prepared = _prepared(fresh, files, settings, missing)
        while some := list(islice(prepared, _AT_ONCE)):
            pictures = np.stack([picture for _, picture in some])
            said = first(pictures), second(pictures)
            for place, (image, _) in enumerate(some):
                score.count(image, _labels(said, place), _confidences(said, place))
    return Contest(_comparison(score), sum(one.sha256 in learned for one in images), missing)


def _predictor(model: Model, settings: Settings) -> Predictor:
    folder, size = Path(model.location), settings.images_at_once
    networks = read_card(folder, sha256=model.sha256).networks
    # LiteRT reads the same labels as Keras, and is there at once.
    exported = all(Runtime.LITERT in network.exports for network in networks)
    runtime = Runtime.LITERT if exported else Runtime.KERAS
    return Predictor(folder, batch_size=size, sha256=model.sha256, runtime=runtime)


def _prepared(
    images: Iterable[Reviewed], files: Files, settings: Settings, missing: list[tuple[str, str]]
) -> Iterator[tuple[Reviewed, Image]]:
    for image in images:
        try:
            picture = prepare(decode(files.read(image), max_pixels=settings.max_pixels))
        except (DigitlineError, ImageRejected) as error:
            missing.append((image.path, str(error)))
        else:
            yield image, picture


def _labels(said: tuple[Scores, Scores], place: int) -> tuple[int, int]:
    return int(said[0].labels[place]), int(said[1].labels[place])


def _confidences(said: tuple[Scores, Scores], place: int) -> tuple[float, float]:
    return float(said[0].confidences[place]), float(said[1].confidences[place])


def _comparison(score: _Score) -> Comparison:
    differences = [Difference(*read, *counts) for read, counts in score.differences.items()]
    differences.sort(key=lambda one: (-one.images, one.production, one.challenger))
    return Comparison(
        images=score.images,
        alike=score.alike,
        labelled=score.images,
        production_right=score.right["production"],
        challenger_right=score.right["challenger"],
        differences=tuple(differences),
        disagreements=tuple(score.surest()),
    )
