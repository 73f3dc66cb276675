"""Agreement against published tables, and its edges."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from ml.agreement import agreement


def pairs_of(table):
    return [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]


def test_a_table_where_kappa_falls_apart_and_ac1_does_not():
    """125 subjects, from Gwet (2002), Kappa statistic is not satisfactory for assessing the extent of agreement."""
    found = agreement(pairs_of([[118, 5], [2, 0]]))
    assert (found.n, found.agreed) == (125, 118)
    assert found.share == pytest.approx(0.944)
    assert found.kappa == pytest.approx(-0.0234, abs=1e-4)
    assert found.ac1 == pytest.approx(0.9408, abs=1e-4)


def test_cohens_kappa_is_scikit_learns():
    rng = np.random.default_rng(3)
    first = rng.integers(0, 5, 400)
    second = np.where(rng.random(400) < 0.7, first, rng.integers(0, 5, 400))
    found = agreement(list(zip(first.tolist(), second.tolist(), strict=True)))
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))


def test_guessing_people_agree_by_neither_measure():
    rng = np.random.default_rng(5)
    found = agreement(list(zip(rng.integers(0, 4, 20_000).tolist(), rng.integers(0, 4, 20_000).tolist(), strict=True)))
    assert abs(found.kappa) < 0.02 and abs(found.ac1) < 0.02


def test_edges():
    assert agreement([]).share is None
    alone = agreement([("a", "a")] * 9)
    assert (alone.share, alone.kappa, alone.ac1) == (1.0, None, 1.0)
