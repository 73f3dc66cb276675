"""Wilson's interval: equal to scipy's, and its coverage computed exactly."""

import numpy as np
import pytest
from scipy import stats

from ml.intervals import wilson_interval


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (85, 100), (1, 1), (456, 500)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_it_is_scipys(k, n, confidence):
    theirs = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(k, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("n", "least"), [(100, 0.925), (500, 0.938)])
def test_it_covers_95_percent_where_accuracies_lie(n, least):
    """Over every true accuracy from 85 to 95%: the share of samples whose interval holds it, summed exactly."""
    truths = np.linspace(0.85, 0.95, 2_001)
    bounds = np.array([wilson_interval(k, n) for k in range(n + 1)])
    inside = (bounds[:, :1] <= truths) & (truths <= bounds[:, 1:])
    coverage = (stats.binom.pmf(np.arange(n + 1)[:, None], n, truths) * inside).sum(axis=0)
    assert coverage.mean() == pytest.approx(0.95, abs=0.005)
    assert coverage.min() >= least


def test_without_trials_it_says_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)
