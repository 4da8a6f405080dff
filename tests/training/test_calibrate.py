"""Confidences mean what they say, and bounds are those of the tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from training.calibrate import GRID, calibration_error, fit_temperature, reliability, risk_points, share_interval


def test_the_calibration_error_is_the_mean_distance_by_hand() -> None:
    # Two bins of two images each: sure 0.62, right 1; and sure 0.9, right 1/2.
    confidences = np.array([0.9, 0.62, 0.9, 0.62], np.float32)
    correct = np.array([True, True, False, True])
    assert calibration_error(confidences, correct, bins=2) == pytest.approx((0.38 + 0.4) / 2, abs=1e-6)


def test_bins_hold_as_many_images_each_however_alike_the_confidences_are() -> None:
    # Of equal width, all would fall into one bin, where 0.98 and 0.96 even out to what is right.
    confidences = np.repeat(np.array([0.96, 0.98], np.float32), 50)
    correct = np.repeat([True, False], [97, 3])
    assert calibration_error(confidences, correct, bins=2) == pytest.approx((0.04 + 0.04) / 2, abs=1e-6)


def test_few_images_are_a_bin_each() -> None:
    assert calibration_error(np.array([0.75], np.float32), np.array([True])) == pytest.approx(0.25)


def test_full_confidence_falls_into_the_last_bin() -> None:
    _, right, count = reliability(np.array([1.0, 1.0], np.float32), np.array([True, False]))
    assert count.tolist() == [0] * 14 + [2]
    assert right[14] == 0.5
    assert np.isnan(right[0])


def test_the_temperature_takes_back_what_scaling_did() -> None:
    rng = np.random.default_rng(3)
    honest = rng.normal(0, 2, (20_000, 10)).astype(np.float32)
    chances = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    for factor in (0.5, 1, 3):
        assert fit_temperature(honest * np.float32(factor), labels) == pytest.approx(factor, rel=0.05)


def test_intervals_are_those_of_the_tables() -> None:
    assert share_interval(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert share_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    low, high = share_interval(10, 10)
    assert (low, high) == pytest.approx((0.7225, 1), abs=1e-4)
    assert high <= 1


def test_the_bound_of_the_risk_leaves_room_for_every_confidence_that_was_looked_at() -> None:
    confidences = np.array([0.5, 0.55, 0.75, 0.85, 0.9], np.float32)
    points = risk_points(confidences, np.array([True, False, True, True, True]))
    assert [point.above for point in points] == list(GRID)
    assert [point.coverage for point in points[:3]] == [0.8, 0.6, 0.6]
    # Clopper and Pearson, none wrong of 3: the share that would leave none so seldom.
    assert points[1].error_bound == pytest.approx(1 - (0.05 / len(GRID)) ** (1 / 3))
    # And 1 wrong of 4: it is exceeded with the same small chance.
    assert binom.cdf(1, 4, points[0].error_bound) == pytest.approx(0.05 / len(GRID))


def test_a_promised_target_is_broken_seldom_whatever_threshold_is_chosen() -> None:
    rng = np.random.default_rng(3)
    broken = 0
    for _ in range(200):
        confidences = rng.beta(8, 0.3, 2000).astype(np.float32)
        correct = rng.random(2000) > 0.2 * (1 - confidences)
        passing = [point.above for point in risk_points(confidences, correct) if point.error_bound <= 0.01]
        if passing:
            # What the threshold brings on images without end.
            endless = rng.beta(8, 0.3, 50_000)
            broken += float((0.2 * (1 - endless[endless > passing[0]])).mean()) > 0.01
    assert broken <= 10


def test_nothing_is_promised_above_a_wrong_label_that_is_surest_of_all() -> None:
    points = risk_points(np.array([0.5, 0.9], np.float32), np.array([True, False]))
    assert points[-1].coverage == 0
    assert points[-1].error_bound == 1
