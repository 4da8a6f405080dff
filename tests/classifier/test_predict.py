"""A model scores any number of images, the same way every time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from classifier.artifact import shipped_model
from classifier.network import build, megaflops
from classifier.predict import Predictor
from classifier.preprocess import prepare
from core.errors import ArtifactError
from training.dataset import Digits
from training.evaluate import evaluate


def test_the_shipped_model_reads_at_least_995_of_1000_sample_digits(predictor: Predictor, digits: Digits) -> None:
    prepared = np.stack([prepare(image) for image in digits.images])
    evaluation = evaluate(predictor, prepared, digits.labels)
    assert evaluation.accuracy >= 0.995
    assert evaluation.calibration_error is not None
    assert evaluation.calibration_error < 0.01


def test_the_card_states_what_the_shipped_model_does(predictor: Predictor, digits: Digits) -> None:
    evaluation = evaluate(predictor, digits.images, digits.labels)
    assert predictor.card.test["accuracy"] == pytest.approx(evaluation.accuracy, abs=1e-9)
    assert predictor.card.test["confusion_matrix"] == evaluation.confusion_matrix.tolist()


def test_at_the_default_target_the_sure_labels_keep_it_and_are_many(predictor: Predictor, digits: Digits) -> None:
    scores = predictor(digits.images)
    sure = scores.confidences > predictor.card.confident_above(0.005)
    assert sure.mean() >= 0.99
    assert (scores.labels[sure] != digits.labels[sure]).mean() <= 0.005


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_any_number_of_images_is_scored_and_padding_changes_no_score(
    count: int, predictor: Predictor, digits: Digits
) -> None:
    scores = predictor(digits.images[:count])
    whole = predictor(digits.images[:768])
    assert len(scores) == count
    assert scores.labels.shape == scores.confidences.shape == scores.margins.shape == (count,)
    assert scores.probabilities.shape == (count, 10)
    assert (scores.escalated.shape, scores.escalated.dtype) == ((count,), np.bool_)
    assert (scores.labels.dtype, scores.confidences.dtype) == (np.int64, np.float32)
    assert (scores.margins.dtype, scores.probabilities.dtype) == (np.float32, np.float32)
    assert np.array_equal(scores.labels, whole.labels[:count])
    np.testing.assert_allclose(scores.probabilities, whole.probabilities[:count], atol=1e-6)


def test_confidence_and_margin_are_those_of_the_probabilities(predictor: Predictor, digits: Digits) -> None:
    scores = predictor(digits.images[:300])
    ranked = np.sort(scores.probabilities, axis=1)
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(scores.labels, scores.probabilities.argmax(axis=1))
    np.testing.assert_allclose(scores.confidences, ranked[:, -1])
    np.testing.assert_allclose(scores.margins, ranked[:, -1] - ranked[:, -2], atol=1e-7)


def test_the_network_is_traced_once_whatever_the_number_of_images(digits: Digits) -> None:
    predictor = Predictor(shipped_model(), batch_size=64)
    assert predictor.traces == 1
    for count in (1, 63, 64, 65, 300):
        predictor(digits.images[:count])
    assert predictor.traces == 1


def test_images_of_another_shape_or_type_are_refused(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="uint8"):
        predictor(np.zeros((2, 28, 28), np.float32))
    with pytest.raises(ValueError, match="28"):
        predictor(np.zeros((2, 20, 20), np.uint8))


def test_work_is_counted_by_hand_the_same() -> None:
    # 14*14*25*1*16, 14*14*9*16*16, 7*7*9*16*32, 5*5*9*32*32, 3*3*9*32*32 and 288*10 multiplications.
    by_hand = 78_400 + 451_584 + 225_792 + 230_400 + 82_944 + 2_880
    assert megaflops(build("cnn-xs")) == pytest.approx(2 * by_hand / 1e6)


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ArtifactError, match="resnet") as refused:
        build("resnet")
    assert "cnn-s" in refused.value.mend


def test_binding_to_one_thread_binds_tensorflow_and_opencv() -> None:
    script = (
        "import cv2, tensorflow as tf; from classifier.predict import bind_to_one_thread; bind_to_one_thread();"
        "print(tf.config.threading.get_intra_op_parallelism_threads(),"
        "tf.config.threading.get_inter_op_parallelism_threads(), cv2.getNumThreads())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "1", "1"]
