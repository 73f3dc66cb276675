"""Against statsmodels and scipy, against figures of the literature, and by seeded simulation of thousands of tests."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from abtests.statistics import (
    ALPHA,
    POWER,
    RATIO_ALPHA,
    Counts,
    Pairs,
    always_valid_interval,
    difference,
    labels_an_arm,
    matched_interval,
    mcnemar_p_value,
    newcombe_interval,
    p_value,
    pair_evidence,
    paired_interval,
    ratio_p_value,
    shadow_plan,
)
from abtests.verdict import Status, pairs_verdict, split_verdict

DAYS = 14
TABLES = [((500, 456), (500, 466)), ((60, 60), (80, 71)), ((30, 2), (900, 100)), ((5, 0), (7, 7))]


@pytest.mark.parametrize(("a", "b"), TABLES)
def test_the_one_look_figures_are_those_of_statsmodels(a, b):
    ours = Counts(*a), Counts(*b)
    assert p_value(*ours) == pytest.approx(proportions_ztest([b[1], a[1]], [b[0], a[0]])[1], abs=1e-9)
    theirs = confint_proportions_2indep(b[1], b[0], a[1], a[0], compare="diff", method="newcomb")
    assert newcombe_interval(*ours) == pytest.approx(theirs, abs=1e-9)


def test_newcombes_own_example():
    """Newcombe (1998), table II, row a: 56/70 − 48/80, method 10: 0.0524 to 0.3339."""
    assert newcombe_interval(Counts(80, 48), Counts(70, 56)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_recorded_test_of_the_customer():
    a, b = Counts(500, 456), Counts(500, 466)
    assert p_value(a, b) == pytest.approx(0.238319, abs=1e-6)
    assert newcombe_interval(a, b) == pytest.approx((-0.0136, 0.0539), abs=5e-5)
    assert labels_an_arm(a.rate, difference(a, b)) == pytest.approx(2_800, rel=0.01)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 12), (40, 40), (1, 0)])
def test_mcnemar_is_that_of_statsmodels(b, c):
    expected = mcnemar([[0, b], [c, 0]], exact=True).pvalue if b + c else 1.0
    assert mcnemar_p_value(b, c) == pytest.approx(expected)


@pytest.mark.parametrize(("rows", "discordant", "gain"), [(200, 0.1, 0.02), (2_000, 0.06, 0.02), (2_000, 0.3, 0.0)])
def test_the_matched_interval_covers_what_it_says(rows, discordant, gain):
    shares = [(discordant - gain) / 2, (discordant + gain) / 2, 1 - discordant]
    drawn = np.random.default_rng(5).multinomial(rows, shares, size=4_000)
    found = [matched_interval(Pairs(rows, int(a), int(b))) for a, b, _ in drawn]
    assert 0.94 <= np.mean([low <= gain <= high for low, high in found]) <= 0.97


def test_the_matched_interval_of_its_source():
    """Agresti and Min (2005), table 1: 794 × 150 / 86 × 570 of 1,600: −0.040 is the difference of the margins."""
    low, high = matched_interval(Pairs(1_600, 150, 86))
    assert (low + high) / 2 == pytest.approx(-0.04, abs=1e-4)
    assert (low, high) == pytest.approx((-0.0587, -0.0212), abs=2e-4)


@pytest.mark.parametrize(("units", "weights"), [((520, 480), (0.5, 0.5)), ((8_900, 1_100), (0.9, 0.1))])
def test_the_ratio_check_is_the_chi_square_of_scipy(units, weights):
    expected = stats.chisquare(units, [sum(units) * w for w in weights]).pvalue
    assert ratio_p_value(units, weights) == pytest.approx(expected)


def test_the_ratio_check_of_an_arm_that_should_have_nothing():
    assert ratio_p_value((10, 1), (1.0, 0.0)) == 0.0
    assert ratio_p_value((10, 0), (1.0, 0.0)) == ratio_p_value((0, 0), (0.5, 0.5)) == 1.0


def test_the_ratio_check_finds_52_to_48_and_lets_50_to_50_be():
    rng = np.random.default_rng(7)
    found = [
        np.mean([ratio_p_value((n, 16_000 - n), (0.5, 0.5)) < RATIO_ALPHA for n in rng.binomial(16_000, share, 4_000)])
        for share in (0.52, 0.5)
    ]
    assert found[0] >= 0.95
    assert found[1] <= 0.003


def test_nothing_is_shown_before_fifty_labels_an_arm():
    assert always_valid_interval(Counts(49, 40), Counts(500, 400), planned=1_000) is None
    assert always_valid_interval(Counts(50, 40), Counts(500, 400), planned=1_000) is not None


def test_the_evidence_of_pairs_is_a_beta_mixture():
    direct = stats.betabinom.pmf(14, 17, 10, 10) / stats.binom.pmf(14, 17, 0.5)
    assert pair_evidence(3, 14) == pytest.approx(direct)
    assert pair_evidence(0, 0) == pytest.approx(1)
    assert pair_evidence(0, 100_000) > 1e300, "large, and no overflow"


@pytest.mark.parametrize("any_look", [False, True])
def test_planned_labels_are_those_of_the_design(any_look):
    assert labels_an_arm(0.85, 0.02, any_look=any_look) == (7_700 if any_look else 4_724)
    assert labels_an_arm(0.9, 0.0) is None
    assert labels_an_arm(1.0, 0.02) is None
    with pytest.raises(ValueError, match="rate is 85"):
        labels_an_arm(85, 0.02)


def test_a_gain_above_the_disagreement_is_refused():
    with pytest.raises(ValueError, match="at most that share"):
        shadow_plan(0.01, 0.02)


# Simulation. `looks` are label counts (an arm, or emails scored) after which somebody looks.


def split_paths(rates, labels, runs, seed):
    """Right answers of both arms after each label: two arrays of runs × labels."""
    rng = np.random.default_rng(seed)
    return [np.cumsum(rng.random((runs, labels)) < rate, axis=1) for rate in rates]


def pair_paths(only_a, only_b, scored, runs, seed):
    """Wins of A and of B after each email scored: two arrays of runs × scored."""
    draws = np.random.default_rng(seed).random((runs, scored))
    return np.cumsum(draws < only_a, axis=1), np.cumsum((draws >= only_a) & (draws < only_a + only_b), axis=1)


def looks(total, n=DAYS):
    return np.unique(np.linspace(total / n, total, n).astype(int))


def test_a_split_test_of_equals_looked_at_daily_raises_few_alarms():
    total, runs = 1_400, 2_000
    a, b = split_paths((0.85, 0.85), total, runs, seed=1)
    alarms, naive = np.zeros(runs, bool), np.zeros(runs, bool)
    for n in looks(total):
        arms = [(Counts(n, x), Counts(n, y)) for x, y in zip(a[:, n - 1], b[:, n - 1], strict=True)]
        alarms |= [excludes_zero(*pair, 2 * total) for pair in arms]
        naive |= [p_value(*pair) < ALPHA for pair in arms]
    assert alarms.mean() <= ALPHA
    assert naive.mean() > 3 * ALPHA, "the usual test, looked at daily, is why"


def excludes_zero(a, b, planned):
    interval = always_valid_interval(a, b, planned=planned)
    return interval is not None and not interval[0] <= 0 <= interval[1]


@pytest.mark.parametrize("share", [0.01, 0.03, 0.05])
def test_a_shadow_test_of_equals_looked_at_daily_raises_few_alarms(share):
    total, runs = 2_000, 2_000
    a, b = pair_paths(share, share, total, runs, seed=2)
    alarms = np.zeros(runs, bool)
    for n in looks(total):
        alarms |= [
            pairs_verdict(Pairs(n, x, y), planned=total, gain=1e-9).status in (Status.DEPLOY, Status.KEEP)
            for x, y in zip(a[:, n - 1], b[:, n - 1], strict=True)
        ]
    assert alarms.mean() <= ALPHA


@pytest.mark.parametrize("rates", [(0.85, 0.85), (0.85, 0.87), (0.78, 0.9)])
def test_always_valid_intervals_of_a_split_test_cover_over_the_whole_path(rates):
    total, runs = 4_000, 1_000
    a, b = split_paths(rates, total, runs, seed=3)
    missed = np.zeros(runs, bool)
    for n in range(50, total + 1, 50):
        for run in np.flatnonzero(~missed):
            low, high = always_valid_interval(Counts(n, a[run, n - 1]), Counts(n, b[run, n - 1]), planned=2 * total)
            missed[run] = not low <= rates[1] - rates[0] <= high
    assert missed.mean() <= ALPHA


@pytest.mark.parametrize(("only_a", "only_b"), [(0.03, 0.03), (0.02, 0.04), (0.01, 0.09)])
def test_always_valid_intervals_of_a_shadow_test_cover_over_the_whole_path(only_a, only_b):
    total, runs = 4_000, 1_000
    a, b = pair_paths(only_a, only_b, total, runs, seed=4)
    missed = np.zeros(runs, bool)
    for n in range(50, total + 1, 50):
        for run in np.flatnonzero(~missed):
            low, high = paired_interval(Pairs(n, a[run, n - 1], b[run, n - 1]), planned=total)
            missed[run] = not low <= only_b - only_a <= high
    assert missed.mean() <= ALPHA


def test_a_split_test_as_planned_finds_the_gain_when_it_may_be_decided_at_any_look():
    n, runs = labels_an_arm(0.85, 0.02, any_look=True), 500
    a, b = split_paths((0.85, 0.87), n, runs, seed=5)
    found = np.zeros(runs, bool)
    for k in np.arange(50, n + 1, 25):
        for run in np.flatnonzero(~found):
            found[run] = excludes_zero(Counts(k, a[run, k - 1]), Counts(k, b[run, k - 1]), 2 * n)
    assert found.mean() == pytest.approx(POWER, abs=0.05)


SPLIT_LABELS = 2 * 4_724


@pytest.mark.parametrize(("one_right", "both_wrong"), [(0.04, 0.0), (0.06, 0.01), (0.08, 0.02), (0.1, 0.02)])
def test_a_shadow_test_decides_with_a_twentieth_of_the_labels(one_right, both_wrong):
    """Wherever one model alone is right on ≤ 10% of emails and both are wrong differently on ≤ 2%."""
    gain, runs = 0.02, 800
    plan = shadow_plan(one_right + both_wrong, gain, both_wrong=both_wrong)
    assert plan.labels <= SPLIT_LABELS / 20
    a, b = pair_paths((one_right - gain) / 2, (one_right + gain) / 2, plan.scored, runs, seed=6)
    found = np.zeros(runs, bool)
    for n in range(50, plan.scored + 1, 10):
        for run in np.flatnonzero(~found):
            found[run] = differs(Pairs(n, a[run, n - 1], b[run, n - 1]), plan.scored)
    assert found.mean() >= POWER - 0.03  # 0.03: what 800 runs may miss by


def differs(pairs, planned):
    if pair_evidence(pairs.only_a, pairs.only_b) < 1 / ALPHA:
        return False
    low, high = paired_interval(pairs, planned=planned)
    return not low <= 0 <= high


@pytest.mark.parametrize(
    ("a", "b", "over", "status"),
    [
        (Counts(20, 17), Counts(20, 18), False, Status.COLLECTING),
        (Counts(500, 456), Counts(500, 466), False, Status.COLLECTING),
        (Counts(500, 456), Counts(500, 466), True, Status.OPEN),
        (Counts(4_000, 3_400), Counts(4_000, 3_600), False, Status.DEPLOY),
        (Counts(4_000, 3_600), Counts(4_000, 3_400), False, Status.KEEP),
        (Counts(60_000, 51_000), Counts(60_000, 51_060), False, Status.KEEP),
        (Counts(60_000, 51_000), Counts(60_000, 51_960), True, Status.OPEN),
        (Counts(0, 0), Counts(0, 0), True, Status.OPEN),
    ],
)
def test_a_split_verdict(a, b, over, status):
    verdict = split_verdict(a, b, planned=15_400, over=over)
    assert verdict.status == status
    assert verdict.sentence.endswith(".")


def test_trouble_comes_before_any_verdict():
    verdict = split_verdict(Counts(4_000, 3_400), Counts(4_000, 3_600), planned=15_400, trouble="Arm B fails to load.")
    assert (verdict.status, verdict.sentence) == (Status.UNHEALTHY, "Arm B fails to load.")


def test_a_shadow_verdict_wants_both_tests_to_agree():
    """All of few pairs for B: the interval is sure, the evidence is not."""
    pairs = Pairs(scored=100, only_a=0, only_b=6)
    assert pairs_verdict(pairs, planned=600).status == Status.COLLECTING
    assert pairs_verdict(Pairs(400, 4, 32), planned=600).status == Status.DEPLOY
    assert pairs_verdict(Pairs(400, 32, 4), planned=600).status == Status.KEEP
