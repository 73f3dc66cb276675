"""Confidence that means what it says: temperatures, ECE beside what chance gives, thresholds."""

import numpy as np
import pytest

from ml.calibration import (
    calibration_bins,
    expected_calibration_error,
    fit_head_temperatures,
    risk_coverage,
    simulate_perfect_ece,
    threshold_for,
)
from ml.scoring import Calibration, log_softmax


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of a perfectly calibrated model, and whether it was right."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.2, 1.0, n)
    return confidence, rng.random(n) < confidence


def test_a_perfect_model_lies_within_what_the_simulation_gives():
    inside = 0
    for seed in range(40):
        confidence, right = drawn(500, seed)
        inside += (
            expected_calibration_error(confidence, right) <= simulate_perfect_ece(confidence, draws=300).percentile_95
        )
    assert inside >= 34  # 95% of 40, less three standard deviations


def test_the_simulated_ece_falls_with_n_and_an_overconfident_model_lies_outside():
    few, many = (simulate_perfect_ece(drawn(n)[0]) for n in (100, 10_000))
    assert many.mean < few.mean / 5 and few.mean < few.percentile_95
    confidence, right = drawn(2000)
    assert (
        expected_calibration_error(np.minimum(confidence + 0.1, 1), right)
        > simulate_perfect_ece(confidence).percentile_95
    )


def test_a_head_that_knows_nothing_is_turned_down():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 600)
    own = [np.where(np.arange(4) == t, 2.0, 0.0) + rng.normal(0, 1, 4) for t in truth]
    noise = [log_softmax(rng.normal(0, 3, 4)) for _ in truth]
    sure = [log_softmax(np.where(np.arange(4) == t, 3.0, 0.0)) for t in truth]
    assert fit_head_temperatures(own, noise, list(truth))[1] > 8
    assert fit_head_temperatures(own, sure, list(truth))[1] < 1
    assert fit_head_temperatures([], [], []) == (1.0, 1.0)


def test_bins_and_risk_coverage_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.35])
    right = np.array([True, True, False, True])
    bins = calibration_bins(confidence, right)
    assert [(b["n"], b["accuracy"]) for b in bins] == [(1, 1.0), (1, 0.0), (2, 1.0)]
    assert bins[1]["from"] < 0.55 < bins[1]["to"]
    curve = risk_coverage(confidence, right)
    assert curve[0] == {"review_share": 0.0, "threshold": 0.35, "accuracy": 0.75}
    assert curve[-1] == {"review_share": 0.75, "threshold": 0.95, "accuracy": 1.0}


def test_a_threshold_for_a_wanted_accuracy():
    confidence, right = drawn(5000)
    found = threshold_for(confidence, right, 0.9)
    assert found is not None
    assert found.accuracy >= 0.9 and found.interval[0] < found.accuracy < found.interval[1]
    assert 0.75 < found.threshold < 0.85  # the mean of the uniform above 0.8 is 0.9
    assert found.review_share == pytest.approx((found.threshold - 0.2) / 0.8, abs=0.03)
    assert threshold_for(np.array([0.9, 0.8]), np.array([False, False]), 0.5) is None


def test_calibration_survives_json():
    for calibration in (Calibration(), Calibration.from_json({"joint": 0.7, "type": 0.9})):
        assert Calibration.from_json(calibration.to_json()) == calibration
