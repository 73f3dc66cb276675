"""Makes confidence mean what it says: temperature scaling and the expected calibration error.

Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks" (2017).
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from ml.scoring import log_softmax

ECE_BINS = 15


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

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = ECE_BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their size.

    Both inputs are (n,), confidences in [0, 1].

    >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    if len(confidence) == 0:
        return 0.0
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for b in np.unique(index):
        rows = index == b
        gap += rows.mean() * abs(confidence[rows].mean() - correct[rows].mean())
    return round(float(gap), 12)
