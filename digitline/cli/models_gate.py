"""The gate before production: candidate and present model read the same labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ArtifactError, DatasetError, PromotionRefused
from core.quiet import without_native_chatter
from core.settings import get_settings
from core.vocabulary import Model
from digitline.cli.lazy import Later

if TYPE_CHECKING:
    from classifier import predict
    from training import dataset as datasets
    from training import gate
else:
    predict = Later("classifier.predict")
    datasets = Later("training.dataset")
    gate = Later("training.gate")


@dataclass(frozen=True, slots=True)
class SetResult:
    """How both models read one evaluation set, over all its digits."""

    folder: str
    images: int
    production_right: int
    candidate_right: int
    #: Images of the set that one of the two learned from; they measure nothing, and are not among the others.
    learned: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the gate measured."""

    production: Model
    candidate: Model
    sets: tuple[SetResult, ...]
    #: By set and digit.
    classes: tuple[gate.Check, ...]
    #: Of all digits together, by set.
    together: tuple[gate.Check, ...]

    @property
    def checks(self) -> list[gate.Check]:
        """All checks: by set, its digits and then all of them together."""
        return [
            check
            for whole in self.together
            for check in (*(one for one in self.classes if one.name == whole.name), whole)
        ]

    @property
    def worse(self) -> list[gate.Check]:
        """What the candidate reads worse."""
        return [check for check in self.checks if check.worse]

    def as_dict(self) -> dict[str, object]:
        """What was measured, as JSON takes it."""
        return {
            "production": {"name": self.production.name, "sha256": self.production.sha256},
            "alpha": gate.ALPHA,
            "sets": [
                {
                    "name": one.folder,
                    "images": one.images,
                    "production_accuracy": one.production_right / one.images,
                    "candidate_accuracy": one.candidate_right / one.images,
                    "learned": one.learned,
                }
                for one in self.sets
            ],
            "classes": [check.as_dict() for check in self.classes],
            "together": [check.as_dict() for check in self.together],
        }


def sets_to_measure(candidate: Model, named: Sequence[Path] | None) -> Sequence[Path]:
    """The evaluation sets named, else those of the settings, each once: measured twice, a set would prove no more.

    Raises:
        PromotionRefused: there is none.
    """
    folders = named or get_settings().evaluation_sets
    if not folders:
        raise PromotionRefused(
            f"There is no evaluation set to measure {candidate.name!r} on.",
            mend="Name one with --on DIR or in DIGITLINE_EVALUATION_SETS, or promote it with --force --reason TEXT.",
        )
    once: dict[Path, Path] = {}
    for folder in folders:
        once.setdefault(folder.resolve(), folder)
    return list(once.values())


def measure(production: Model, candidate: Model, folders: Sequence[Path]) -> Measurement:
    """Let both models read every image of the evaluation sets.

    Raises:
        DatasetError: a set is missing or damaged.
        PromotionRefused: the sets hold too few images of a digit to show whether it is read worse.
        ArtifactError: one of the models cannot be loaded.
    """
    learned = learned_from(production) | learned_from(candidate)
    found = {str(folder): _digits(folder, learned) for folder in folders}
    sets = [(name, digits) for name, (digits, _) in found.items()]
    _refuse_shortage(candidate, sets)
    present = _read(production, [digits for _, digits in sets])
    new = _read(candidate, [digits for _, digits in sets])
    trials = [
        gate.Trial(name, digits.labels, before, after)
        for (name, digits), before, after in zip(sets, present, new, strict=True)
    ]
    results = tuple(
        SetResult(
            trial.name,
            len(trial.true),
            int((trial.production == trial.true).sum()),
            int((trial.candidate == trial.true).sum()),
            found[trial.name][1],
        )
        for trial in trials
    )
    classes, together = gate.check_classes(trials), gate.check_sets(trials)
    return Measurement(production, candidate, results, tuple(classes), tuple(together))


def _refuse_shortage(candidate: Model, sets: Sequence[tuple[str, datasets.Digits]]) -> None:
    """Refuse before anything is read what could never be refused after it."""
    short = gate.shortages([(name, digits.labels) for name, digits in sets])
    if short:
        held = ", ".join(
            f"no image of {one.digit}" if one.name is None else f"{one.images} of {one.digit} in {one.name}"
            for one in short
        )
        raise PromotionRefused(
            f"The evaluation sets hold too few images to show that {candidate.name!r} reads no digit worse: {held}.",
            mend=f"Name sets with at least {short[0].needed} images of each digit, or promote it with "
            "--force --reason TEXT.",
        )


def _read(model: Model, sets: Sequence[datasets.Digits]) -> list[gate.Labels]:
    try:
        with without_native_chatter():
            size = get_settings().images_at_once
            predictor = predict.Predictor(Path(model.location), batch_size=size, sha256=model.sha256)
    except ArtifactError as error:
        raise ArtifactError(
            f"{model.name!r} cannot be measured: {error}",
            mend=f"{error.mend} Or promote without measuring, with --force --reason TEXT.".strip(),
        ) from error
    return [predictor(digits.images).labels for digits in sets]


def learned_from(model: Model) -> frozenset[str]:
    """SHA-256 of the reviewed images that a model learned from; its card is somebody else's file."""
    found = model.card.get("corrections")
    return frozenset(map(str, found)) if isinstance(found, list | tuple) else frozenset()


def _digits(folder: Path, learned: Collection[str]) -> tuple[datasets.Digits, int]:
    """The images of a set that nobody learned from, and how many others there are."""
    if not folder.is_dir():
        raise DatasetError(f"There is no evaluation set {folder}.", mend="Name a folder that is there.")
    if not learned or not datasets.has_class_folders(folder):
        return datasets.load_to_measure(folder), 0
    everything = datasets.labelled_images(folder)
    fresh = [one for one in everything if hashlib.sha256((folder / one[0]).read_bytes()).hexdigest() not in learned]
    if not fresh:
        raise DatasetError(f"Every image of {folder} was learned from.", mend="Name a set of other images.")
    return datasets.load_labelled(folder, fresh), len(everything) - len(fresh)
