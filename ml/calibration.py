"""Makes confidence mean what it says: temperatures, calibration error, thresholds.

Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks" (2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from ml.intervals import wilson_interval
from ml.scoring import log_softmax

ECE_BINS = 15
BOUNDS = (-3.0, 3.0)  # of a log temperature


def fit_temperature(log_scores: Sequence[np.ndarray], targets: Sequence[int]) -> float:
    """Temperature that minimises the log loss of held-out rows.

    `log_scores[i]` is a vector of its own length (a row's candidates), `targets[i]` the position
    of the right one. Returns 1.0 when there are no rows.
    """
    if not log_scores:
        return 1.0

    def loss(log_t: float) -> float:
        t = float(np.exp(log_t))
        return -float(np.mean([log_softmax(s / t)[k] for s, k in zip(log_scores, targets, strict=True)]))

    return float(np.exp(minimize_scalar(loss, bounds=BOUNDS, method="bounded").x))


def fit_head_temperatures(
    own: Sequence[np.ndarray], of_type: Sequence[np.ndarray], targets: Sequence[int]
) -> tuple[float, float]:
    """Temperatures of subtype and type head whose combined answer has the least log loss.

    `own[i]` and `of_type[i]` are a row's subtype logits and the log-probabilities of their types,
    of one length; a high temperature of the type head means that it adds nothing here.
    """
    if not own:
        return 1.0, 1.0
    groups = _by_length(own, of_type, targets)

    def loss(log_t: np.ndarray) -> float:
        t = np.exp(log_t)
        parts = [log_softmax(a / t[0] + b / t[1])[np.arange(len(k)), k].sum() for a, b, k in groups]
        return -float(sum(parts)) / len(own)

    best = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[BOUNDS, BOUNDS]).x
    return float(np.exp(best[0])), float(np.exp(best[1]))


def _by_length(own: Sequence[np.ndarray], of_type: Sequence[np.ndarray], targets: Sequence[int]) -> list:
    """Stack rows with equally many candidates, so that the loss is computed on arrays."""
    lengths = np.array([len(row) for row in own])
    groups = []
    for length in np.unique(lengths):
        rows = [int(i) for i in np.flatnonzero(lengths == length)]
        groups.append(
            (
                np.stack([own[i] for i in rows]),
                np.stack([of_type[i] for i in rows]),
                np.array([targets[i] for i in rows]),
            )
        )
    return groups


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their size.

    Both inputs are (n,), confidences in [0, 1].

    >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    if len(confidence) == 0:
        return 0.0
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    difference = np.bincount(index, weights=confidence - correct, minlength=bins)
    return round(float(np.abs(difference).sum() / len(confidence)), 12)


@dataclass(frozen=True)
class PerfectECE:
    """The ECE that a perfectly calibrated model would show on as many rows, by chance alone."""

    mean: float
    percentile_95: float


def simulate_perfect_ece(confidence: np.ndarray, *, draws: int = 1000, seed: int = 0) -> PerfectECE:
    """Draw each row right with the very probability its confidence names, `draws` times.

    `confidence` is (n,). Source: the consistency resampling of Bröcker and Smith, "Increasing the
    Reliability of Reliability Diagrams" (2007).
    """
    rng = np.random.default_rng(seed)
    found = [expected_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)]
    return PerfectECE(round(float(np.mean(found)), 4), round(float(np.percentile(found, 95)), 4))


def calibration_bins(confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS) -> list[dict]:
    """The calibration curve: for each bin that holds rows, n, mean confidence, accuracy with its interval."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    curve = []
    for b in np.unique(index):
        rows = index == b
        low, high = wilson_interval(int(correct[rows].sum()), int(rows.sum()))
        curve.append(
            {
                "from": round(b / bins, 4),
                "to": round((b + 1) / bins, 4),
                "n": int(rows.sum()),
                "confidence": round(float(confidence[rows].mean()), 4),
                "accuracy": round(float(correct[rows].mean()), 4),
                "interval": [round(low, 4), round(high, 4)],
            }
        )
    return curve


@dataclass(frozen=True)
class Threshold:
    """A confidence threshold with what it costs and gives on the rows it was chosen on."""

    threshold: float
    accuracy: float
    interval: tuple[float, float]
    review_share: float
    n: int
    kept: int


def threshold_at(confidence: np.ndarray, correct: np.ndarray, threshold: float) -> Threshold:
    """What a threshold does: rows (n,) under it go to review, the rest is kept."""
    kept = confidence >= threshold
    right, n = int(correct[kept].sum()), int(kept.sum())
    return Threshold(
        threshold, right / n if n else 1.0, wilson_interval(right, n), 1 - n / max(len(kept), 1), len(kept), n
    )


def threshold_for(confidence: np.ndarray, correct: np.ndarray, accuracy: float) -> Threshold | None:
    """The lowest threshold from which what is kept is right at least so often; None when none is.

    Rounded up to two digits, so that the figure on the page is the one in force.
    """
    for hundredths in range(100):
        found = threshold_at(confidence, correct, hundredths / 100)
        if found.kept and found.accuracy >= accuracy:
            return found
    return None


def risk_coverage(confidence: np.ndarray, correct: np.ndarray, points: int = 100) -> list[dict]:
    """Accuracy of what is kept against the share sent to review, over all thresholds."""
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(correct[order])
    return [
        {
            "review_share": round(1 - kept / len(order), 4),
            "threshold": round(float(confidence[order[kept - 1]]), 4),
            "accuracy": round(float(right[kept - 1] / kept), 4),
        }
        for kept in sorted({max(1, round(len(order) * k / points)) for k in range(1, points + 1)}, reverse=True)
    ]
