"""The accuracy estimate and the rule of the alert: pure, so simulated thousands of times."""

import numpy as np
import pytest

from classifier.accuracy.estimates import NOTHING, Stratum, alarm, department_alarm, pooled, weighted
from ml.intervals import wilson_interval

BAR = 0.85


def test_one_sampled_stratum_is_wilson():
    found = weighted([Stratum("all", 5_000, 100, 85)])
    assert (found.value, found.low, found.high) == pytest.approx((0.85, *wilson_interval(85, 100)))


def test_a_covered_stratum_scales_wilson_by_the_share_of_the_rest():
    found = weighted([Stratum("under", 2_000, 2_000, 1_000, covered=True), Stratum("all", 8_000, 100, 95)])
    low, high = wilson_interval(95, 100)
    assert found.value == pytest.approx(0.2 * 0.5 + 0.8 * 0.95)
    assert (found.low, found.high) == pytest.approx((0.1 + 0.8 * low, 0.1 + 0.8 * high))
    assert found.n == 100, "only labels of sampled strata are counted"


def test_a_stratum_without_labels_keeps_its_whole_range():
    found = weighted([Stratum("a", 900, 90, 81), Stratum("b", 100, 0, 0)])
    assert found.value == pytest.approx(0.9)
    assert found.low == pytest.approx(0.9 * wilson_interval(81, 90)[0])
    assert found.high == pytest.approx(0.9 * wilson_interval(81, 90)[1] + 0.1)
    assert weighted([]) == weighted([Stratum("a", 10, 0, 0)]) == NOTHING


def test_weighted_intervals_cover():
    """Two strata of unlike accuracy, sampled alike: the interval holds the true share in 95% of samples."""
    rng = np.random.default_rng(3)
    truth, inside = 0.3 * 0.7 + 0.7 * 0.95, 0
    for a, b in zip(rng.binomial(50, 0.7, 4_000), rng.binomial(50, 0.95, 4_000), strict=True):
        found = weighted([Stratum("a", 3_000, 50, int(a)), Stratum("b", 7_000, 50, int(b))])
        inside += found.low <= truth <= found.high
    assert inside / 4_000 >= 0.94


def week(n, correct):
    return [Stratum("all", 3_000, n, int(correct))]


def test_weeks_are_pooled_by_stratum():
    (found,) = pooled([week(100, 80), week(50, 50)])
    assert found == Stratum("all", 6_000, 150, 130)


def test_the_alert_is_quiet_on_a_true_88_percent():
    """Each week of the simulated years is a look; in at most 1% of them the rule fires."""
    rights = np.random.default_rng(8).binomial(100, 0.88, 6_000)
    fired = [alarm([week(100, x) for x in rights[i : i - 4 : -1]], bar=BAR) is not None for i in range(4, 6_000)]
    assert np.mean(fired) <= 0.01
    assert np.mean(rights < 85) > 0.1, "the bare rule would cry wolf"


def test_the_alert_finds_78_percent_within_three_weeks():
    rng = np.random.default_rng(9)
    found = 0
    for _ in range(2_000):
        before = [week(100, x) for x in rng.binomial(100, 0.9, 4)]
        after: list = []
        for x in rng.binomial(100, 0.78, 3):
            after.insert(0, week(100, x))
            if alarm([*after, *before], bar=BAR):
                found += 1
                break
    assert found / 2_000 >= 0.9


@pytest.mark.parametrize(
    ("weeks", "departments", "raised"),
    [
        ([week(10, 5)] * 3, 9, False),  # not four weeks
        ([week(7, 1)] * 4, 9, False),  # 28 labels
        ([week(10, 7)] * 4, 1, True),
        ([week(10, 7)] * 4, 9, False),  # of nine, one in that range is chance
        ([week(10, 5)] * 4, 9, True),
    ],
)
def test_a_department_alarms_on_four_weeks_with_a_stricter_bound(weeks, departments, raised):
    assert (department_alarm(weeks, bar=BAR, departments=departments) is not None) == raised


def test_no_alarm_without_weeks_or_labels():
    assert alarm([], bar=BAR) is None
    assert alarm([week(0, 0)], bar=BAR) is None
