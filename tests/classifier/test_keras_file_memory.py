"""A `.keras` file asks for no more memory than its own weights take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from keras import layers

from classifier.artifact import FAST, shipped_model
from classifier.keras_file import check
from classifier.network import ARCHITECTURES, build
from classifier.weights import save_network
from core.errors import ArtifactError
from tests.classifier.spoilt import Config, first_layer, members, packed, with_config, with_layer

PATH = Path("fast.keras")


@pytest.fixture(scope="module")
def content() -> bytes:
    """The shipped network as a file."""
    return (shipped_model() / FAST).read_bytes()


@pytest.mark.parametrize("values", [{"filters": 10**9}, {"kernel_size": [1, 10**6]}, {"groups": -(10**6)}])
def test_a_layer_that_asks_for_all_memory_is_refused(values: Config, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=f"asks for {next(iter(values))}"):
        check(with_config(content, first_layer(**values)), PATH)


@pytest.mark.parametrize(
    "change",
    [
        first_layer(filters=4096, kernel_size=[4096, 4096]),
        first_layer(filters=4096, kernel_size=4096),
        with_layer(
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {"units": 4096},
                "build_config": {"input_shape": [None, 4096]},
            }
        ),
        lambda config: config["config"]["layers"].extend(
            [
                {
                    "module": "keras.layers",
                    "class_name": "BatchNormalization",
                    "config": {},
                    "build_config": {"input_shape": [None, 4096]},
                }
            ]
            * 50
        ),
        lambda config: config["config"]["layers"][1].update(build_config={"input_shape": [None, 28, 28, 4096]}),
    ],
)
def test_a_network_that_asks_for_more_weights_than_its_file_holds_is_refused(
    change: Callable[[Config], None], content: bytes
) -> None:
    with pytest.raises(ArtifactError, match=r"asks for [\d,]+ bytes of weights, and it holds"):
        check(with_config(content, change), PATH)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"filters": -4000}, "filters"),
        ({"filters": 1e9}, "filters"),
        ({"filters": None}, "filters"),
        ({"kernel_size": "large"}, "kernel_size"),
        ({"kernel_size": [True, 3]}, "kernel_size"),
        ({"groups": 0}, "groups"),
        ({"lora_rank": 4096}, "format"),
        ({"data_format": "channels_first"}, "format"),
    ],
    ids=str,
)
def test_a_layer_whose_weights_cannot_be_counted_is_refused(values: Config, what: str, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=f"a Conv2D whose {what} make no sense"):
        check(with_config(content, first_layer(**values)), PATH)


@pytest.mark.parametrize("shapes", [None, {}, {"input_shape": []}, {"input_shape": [None]}, {"shapes_dict": {}}, 3])
def test_a_layer_that_does_not_say_its_shapes_is_refused(shapes: object, content: bytes) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"][1]["build_config"] = shapes

    with pytest.raises(ArtifactError, match="a Conv2D whose shapes make no sense"):
        check(with_config(content, change), PATH)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_weights_of_every_architecture_are_counted_as_keras_makes_them(architecture: str, tmp_path: Path) -> None:
    model = build(architecture)
    save_network(tmp_path / FAST, model)
    files = members((tmp_path / FAST).read_bytes())
    weights = sum(weight.size for weight in model.get_weights() if weight.ndim > 1)
    weights += sum(2 * layer.gamma.shape[0] for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    check(packed(files | {"model.weights.h5": bytes(4 * weights)}), PATH)
    with pytest.raises(ArtifactError, match=f"asks for {4 * weights:,} bytes"):
        check(packed(files | {"model.weights.h5": bytes(4 * weights - 1)}), PATH)
