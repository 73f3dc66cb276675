"""Drift: a landslide is found, busy days and chance are not called one."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from ml.drift import drift, kl_divergence

CLASSES = [f"c{k}" for k in range(87)]


def month(dice, n, weights=None, last=None, days=35):
    """Daily counts; the last seven days by the weights `last`."""
    usual = dice.dirichlet(np.ones(87) * 2) if weights is None else weights
    return [
        Counter(dice.choice(CLASSES, n, p=last if last is not None and day >= days - 7 else usual))
        for day in range(days)
    ]


def test_the_divergence_is_scipys():
    a, b = np.array([5, 0, 12]), np.array([40, 3, 7])
    assert kl_divergence(a, b) == pytest.approx(stats.entropy(a + 0.5, b + 0.5))


def test_a_landslide_is_found():
    dice = np.random.default_rng(1)
    found = drift(month(dice, 200, dice.dirichlet(np.ones(87)), dice.dirichlet(np.ones(87))))
    assert found.landslide and found.notable
    assert (found.n, found.days) == (1_400, 35)


def test_a_small_shift_is_a_notice_and_no_landslide():
    dice = np.random.default_rng(2)
    usual = dice.dirichlet(np.ones(87) * 5)
    found = drift(month(dice, 400, usual, 0.7 * usual + 0.3 * dice.dirichlet(np.ones(87) * 5)))
    assert found.notable and not found.landslide


def test_equal_months_are_seldom_called_a_drift():
    dice = np.random.default_rng(3)
    found = [drift(month(dice, 100), seed=k) for k in range(40)]
    assert sum(f.landslide for f in found) == 0
    assert sum(f.p < 0.05 for f in found) <= 6


def test_days_that_hang_together_are_no_drift():
    """Each day has a topic of its own: single emails shuffled would call that a drift every week."""
    dice = np.random.default_rng(4)
    rare = 0
    for k in range(30):
        days = [Counter(dice.choice(CLASSES, 100, p=dice.dirichlet(np.ones(87) * 0.3))) for _ in range(35)]
        rare += drift(days, seed=k).p < 0.01
    assert rare <= 2


def test_few_emails_and_few_days_say_nothing():
    dice = np.random.default_rng(5)
    few = drift(month(dice, 10, dice.dirichlet(np.ones(87)), dice.dirichlet(np.ones(87))))
    assert few.kl > 0.3 and not few.landslide and not few.notable
    assert drift([Counter(a=5)] * 7) is None


def test_the_same_seed_gives_the_same_p():
    days = month(np.random.default_rng(6), 50)
    assert drift(days, seed=9) == drift(days, seed=9)
