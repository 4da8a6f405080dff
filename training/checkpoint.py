"""A training on disk, from epoch to epoch, so that one that was killed goes on where it stood."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.errors import ArtifactError
from training.dataset import Digits
from training.recipe import Recipe

#: Values by epoch: loss, accuracy, validation_loss, validation_accuracy, seconds.
History = dict[str, list[float]]

_FACTS = "facts"


class Checkpoint:
    """One file: weights, moving averages, the optimizer's state and the history of a training."""

    def __init__(self, path: Path, recipe: Recipe, digits: Digits) -> None:
        """Name the file of a training.

        Args:
            path: where it lies, or will lie; `.npz`.
            recipe: the training's; a file of another recipe is refused.
            digits: what is trained on; a file of others is refused.
        """
        self._path = path
        content = hashlib.sha256(digits.images.tobytes() + digits.labels.tobytes())
        self._of = {"recipe": recipe.as_dict(), "digits": content.hexdigest()}

    def save(self, model: keras.Model, history: Mapping[str, list[float]]) -> None:
        """Write the state after an epoch, replacing that of the last one in one step."""
        facts = json.dumps({**self._of, "history": history})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            arrays: dict[str, Any] = {_FACTS: np.array(facts), **dict(_state(model))}
            np.savez(file, **arrays)
        draft.replace(self._path)

    def restore(self, model: keras.Model) -> History:
        """Put a compiled model into the state of the file.

        Returns:
            The history up to there; empty where there is no file and nothing was restored.

        Raises:
            ArtifactError: the file is damaged or belongs to another training.
        """
        if not self._path.exists():
            return {}
        with self._opened() as file:
            facts = json.loads(str(file[_FACTS]))
            if {name: facts[name] for name in self._of} != self._of:
                raise ArtifactError(
                    f"{self._path} belongs to a training by another recipe or on other digits.",
                    mend="Name another output folder, or remove the file to begin anew.",
                )
            for (name, _), variable in zip(_state(model), _variables(model), strict=True):
                variable.assign(file[name])
        return {name: list(values) for name, values in facts["history"].items()}

    @contextmanager
    def _opened(self) -> Iterator[Mapping[str, np.ndarray]]:
        try:
            # Opened here, since NumPy leaves a damaged file open.
            with self._path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                yield file
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"{self._path} is damaged: {error}.", mend="Remove it to begin anew.") from error


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _state(model: keras.Model) -> Iterator[tuple[str, np.ndarray]]:
    """Number the variables: Keras makes their names unique by a count that goes on from model to model."""
    for place, variable in enumerate(_variables(model)):
        yield f"v{place}", np.asarray(variable)
