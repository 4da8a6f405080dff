"""Export a model that is trained already: its folder once more, with what other runtimes read."""

from __future__ import annotations

import shutil
from pathlib import Path

from classifier.artifact import Card, write_card
from classifier.weights import load_networks
from core.errors import ArtifactError, DatasetError
from training.dataset import Dataset, prepare_all
from training.export import export
from training.train import set_aside


def reexport(folder: Path, output: Path, dataset: Dataset) -> Card:
    """Copy a model folder and export the copy's networks, anew where they were before.

    The ledger knows a model by the hash of its card, so the folder itself, which may be in production, stays as it is.

    Args:
        folder: the model folder.
        output: the folder to write; the model keeps its name.
        dataset: what the model was trained on.

    Returns:
        The card as written.

    Raises:
        ArtifactError: the model is damaged, there is something at the output already, or the exported model reads other
            digits than Keras.
        DatasetError: the model was trained on other data.
    """
    models, card = load_networks(folder)
    if output.exists():
        raise ArtifactError(f"There is a {output} already.", mend="Name a folder that is not there yet.")
    if dict(card.data_sha256) != dict(dataset.sha256):
        raise DatasetError(f"{folder} was trained on other data.", mend="Name its data with --data.")
    recipe = card.fast.recipe
    parts = set_aside(dataset, validation=int(str(recipe["validation"])), seed=int(str(recipe["split_seed"])))
    draft = output.with_name(f".{output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for network in card.networks:
            shutil.copyfile(folder / network.file, draft / network.file)
        measured = {"validation": parts.validation, "test": prepare_all(dataset.test)}
        card = export(draft, models, card, learned=parts.train, measured=measured)
        write_card(draft, card)
        draft.rename(output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return card
