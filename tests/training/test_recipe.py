"""A recipe file says how a model is trained, and what is wrong with it is said by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import RecipeError
from training.recipe import RECIPES, read_recipe


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_recipe_file_sets_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, "[fast]\nepochs = 7\n[fast.variation]\nrotation = 5.0\n"))
    assert recipe.fast.epochs == 7
    assert recipe.fast.variation.rotation == 5.0
    assert recipe.fast.seed == 3
    assert recipe.careful == ()


def test_networks_have_in_common_what_the_table_all_says_and_else_what_is_their_own(tmp_path: Path) -> None:
    text = "[all]\nepochs = 2\nseed = 4\n[fast]\nepochs = 9\n[[careful]]\nseed = 5\n[[careful]]\n"
    recipe = read_recipe(written(tmp_path, text))
    assert [one.epochs for one in recipe.networks] == [9, 2, 2]
    assert [one.seed for one in recipe.networks] == [4, 5, 4]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read_by_its_name(path: Path) -> None:
    assert read_recipe(path.stem) == read_recipe(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[fast]\nepoch = 7\n", "epoch"),
        ("[fast]\nepochs = 0\n", "epochs"),
        ("[fast]\ndropout = 1.5\n", "dropout"),
        ("[fast]\nlearning_rate = nan\n", "learning_rate"),
        ("[fast.variation]\ntwist = 1\n", "twist"),
        ("[fast.variation]\ncorruptions = ['melt']\n", "melt"),
        ("[fast]\ndistillation = 0.5\n", "repeat_after"),
        ("[[careful]]\n[[careful]]\n", "two seeds"),
        ("[careful]\n", "careful"),
        ("all = 3\n", "all"),
        ("fast = 3\n", "fast"),
        ("careful = [3]\n", "careful"),
        ("[all]\nepoch = 7\n", "epoch"),
        ("shifts = []\n", "shifts"),
        ("shifts = [[0, 9]]\n", "shifts"),
        ("[fast]\nseed = -1\n", "seed"),
        ("[slow]\n", "slow"),
        ("[fast\n", "no TOML"),
    ],
)
def test_what_makes_no_sense_in_a_recipe_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        read_recipe(written(tmp_path, text))


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(RecipeError, match="cannot be read") as caught:
        read_recipe("mnist-cascade-0")
    assert "mnist-cascade-1" in str(caught.value.mend)
