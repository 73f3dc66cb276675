"""What two models' counts allow one to say: intervals, tests and sample sizes, without a database.

Two designs. In a **split** test each email is answered by one arm, and verified emails of both arms are
compared (`Counts`). In a **shadow** test both arms score every email, and people judge those on which they
disagree (`Pairs`). Looks during a test use the always-valid functions, which hold at every look; the p-values
and Newcombe's interval hold for one look at a planned end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erfc, exp, lgamma, log, sqrt
from statistics import NormalDist

from ml.intervals import wilson_interval

ALPHA = 0.05
POWER = 0.8
TUNING = 7.936  # of the confidence sequence: narrowest at the planned total for ALPHA
MIN_LABELS = 50  # an arm, before the asymptotic interval is shown
PRIOR = 10  # of the mixture over the share of discordant pairs that B wins: Beta(10, 10)
RATIO_ALPHA = 0.001
# Squared standardised difference that crosses the confidence sequence by the planned total with POWER, when looked
# at after every label. One look needs (1.960 + 0.842)² = 7.85. By simulation; a test repeats it.
SEQUENTIAL_EFFECT = 12.8
PRIOR_COST = 18  # discordant pairs that the evidence needs on top, for its prior; by simulation as well


@dataclass(frozen=True)
class Counts:
    """`correct` of the `n` verified emails of an arm."""

    n: int
    correct: int

    @property
    def rate(self) -> float:
        return self.correct / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Of one email's result, shrunk by one success and one failure so that it is never nought."""
        p = (self.correct + 1) / (self.n + 2)
        return p * (1 - p)


@dataclass(frozen=True)
class Pairs:
    """Of `scored` emails, on how many `only_a` or `only_b` was right; on the others both were, or neither."""

    scored: int
    only_a: int
    only_b: int

    @property
    def difference(self) -> float:
        """Accuracy of B less that of A, over the emails scored."""
        return (self.only_b - self.only_a) / self.scored if self.scored else 0.0

    @property
    def variance(self) -> float:
        share = (self.only_a + self.only_b + 1) / (self.scored + 2)
        return max(share - self.difference**2, 0.0)


def difference(a: Counts, b: Counts) -> float:
    """Accuracy of B less that of A."""
    return b.rate - a.rate


def p_value(a: Counts, b: Counts) -> float:
    """Two-sided p of the pooled two-proportion z-test; 1.0 where there is nothing to compare."""
    if not a.n or not b.n:
        return 1.0
    pooled = (a.correct + b.correct) / (a.n + b.n)
    error = sqrt(pooled * (1 - pooled) * (1 / a.n + 1 / b.n))
    return _two_sided(difference(a, b) / error) if error else 1.0


def newcombe_interval(a: Counts, b: Counts, confidence: float = 1 - ALPHA) -> tuple[float, float]:
    """Interval of the difference B − A for one look. Source: Newcombe (1998), hybrid score, method 10."""
    (low_a, high_a), (low_b, high_b) = (wilson_interval(arm.correct, arm.n, confidence) for arm in (a, b))
    d = difference(a, b)
    return (
        d - sqrt((b.rate - low_b) ** 2 + (high_a - a.rate) ** 2),
        d + sqrt((high_b - b.rate) ** 2 + (a.rate - low_a) ** 2),
    )


def always_valid_interval(a: Counts, b: Counts, *, planned: int) -> tuple[float, float] | None:
    """95% confidence sequence of B − A: true at every look at once; None under MIN_LABELS an arm.

    `planned` is the total of labels over both arms fixed at the start, where the interval is narrowest.
    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory" (2024).
    """
    if min(a.n, b.n) < MIN_LABELS:
        return None
    error = sqrt(a.variance / a.n + b.variance / b.n)
    half = _sequence_width(a.n + b.n, planned) * error
    return difference(a, b) - half, difference(a, b) + half


def paired_interval(pairs: Pairs, *, planned: int) -> tuple[float, float] | None:
    """The same of a shadow test, over emails scored; `planned` is their number fixed at the start."""
    if pairs.scored < MIN_LABELS:
        return None
    half = _sequence_width(pairs.scored, planned) * sqrt(pairs.variance / pairs.scored)
    return pairs.difference - half, pairs.difference + half


def matched_interval(pairs: Pairs, confidence: float = 1 - ALPHA) -> tuple[float, float]:
    """Interval of the difference B − A of a shadow test or of two models on the same rows, for one look.

    Half an email is added to each cell of the two-by-two table. Source: Agresti and Min (2005), matched pairs.
    """
    n, only_a, only_b = pairs.scored + 2, pairs.only_a + 0.5, pairs.only_b + 0.5
    d = (only_b - only_a) / n
    half = _quantile((1 + confidence) / 2) * sqrt(only_a + only_b - (only_b - only_a) ** 2 / n) / n
    return max(d - half, -1.0), min(d + half, 1.0)


def mean_interval(a: tuple[int, float, float], b: tuple[int, float, float], *, planned: int) -> tuple[float, float]:
    """The same of a difference of means B − A, each arm given as (n, mean, variance)."""
    (n_a, mean_a, variance_a), (n_b, mean_b, variance_b) = a, b
    half = _sequence_width(n_a + n_b, planned) * sqrt(variance_a / n_a + variance_b / n_b)
    return mean_b - mean_a - half, mean_b - mean_a + half


def pair_evidence(only_a: int, only_b: int) -> float:
    """E-value against "each wins half of the discordant pairs"; at 1 / ALPHA or above that is refused, at any look.

    The likelihood ratio of a Beta(PRIOR, PRIOR) mixture to one half.
    """
    n = only_a + only_b
    mixture = _betaln(PRIOR + only_a, PRIOR + only_b) - _betaln(PRIOR, PRIOR)
    return exp(min(mixture + n * log(2), 700.0))


def mcnemar_p_value(only_a: int, only_b: int) -> float:
    """Exact two-sided p of McNemar's test, for one look at the end."""
    from scipy.stats import binomtest  # half a second of start-up that no page needs

    n = only_a + only_b
    return float(binomtest(only_b, n).pvalue) if n else 1.0


def ratio_p_value(units: Sequence[int], weights: Sequence[float]) -> float:
    """p of the chi-square test that two arms' units follow their configured weights; 1.0 without units.

    A weight of nought that has units gives 0.0. Below RATIO_ALPHA the assignment is not what was configured.
    """
    total = sum(units)
    expected = [total * weight for weight in weights]
    if any(e == 0 and u for e, u in zip(expected, units, strict=True)):
        return 0.0
    if total == 0 or len([e for e in expected if e]) < 2:
        return 1.0
    statistic = sum((u - e) ** 2 / e for u, e in zip(units, expected, strict=True))
    return erfc(sqrt(statistic / 2))


def labels_an_arm(rate: float, gain: float, *, any_look: bool = False) -> int | None:
    """Verified emails an arm that show a gain over `rate` with POWER; None where no number does.

    One look: the two-proportion z-test with pooled and unpooled variance. At any look: the confidence sequence.
    Raises ValueError when `rate` is not within 0 and 1.

    >>> labels_an_arm(0.85, 0.02), labels_an_arm(0.85, 0.02, any_look=True)
    (4724, 7700)
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}; allowed: 0 to 1")
    other = min(max(rate + gain, 0.0), 1.0)
    if rate == other:
        return None
    unpooled = rate * (1 - rate) + other * (1 - other)
    if any_look:
        return ceil(round(SEQUENTIAL_EFFECT * unpooled / gain**2, 6))
    middle = (rate + other) / 2
    z_alpha, z_power = _quantile(1 - ALPHA / 2), _quantile(POWER)
    root = z_alpha * sqrt(2 * middle * (1 - middle)) + z_power * sqrt(unpooled)
    return ceil(root**2 / (other - rate) ** 2)


@dataclass(frozen=True)
class ShadowPlan:
    """Emails to score and, of those, the labels people give: the emails on which the models disagree."""

    scored: int
    labels: int


def shadow_plan(disagreement: float, gain: float, *, both_wrong: float = 0.0, any_look: bool = True) -> ShadowPlan:
    """How long a shadow test takes to show a gain with POWER, when models disagree on that share of emails.

    `both_wrong` is the share on which they disagree and neither is right. Raises ValueError when the models
    disagree too seldom for such a gain.
    """
    discordant = disagreement - both_wrong
    if not 0 < abs(gain) <= discordant <= 1:
        raise ValueError(
            f"a gain of {gain:.1%} where exactly one model is right on {discordant:.1%} of emails; "
            "allowed: a gain of at most that share"
        )
    lean = abs(gain) / discordant
    effect = SEQUENTIAL_EFFECT if any_look else (_quantile(1 - ALPHA / 2) + _quantile(POWER)) ** 2
    pairs = effect * (1 - lean**2) / lean**2 + (PRIOR_COST if any_look else 0)
    scored = ceil(max(pairs, 1.0) / discordant)
    return ShadowPlan(scored=scored, labels=ceil(scored * disagreement))


def _sequence_width(n: int, planned: int) -> float:
    """Standard errors on either side of the estimate after `n` of `planned`."""
    x = n * TUNING / planned
    return sqrt(2 * (1 + 1 / x) * log(sqrt(1 + x) / ALPHA))


def _quantile(p: float) -> float:
    return NormalDist().inv_cdf(p)


def _two_sided(z: float) -> float:
    return erfc(abs(z) / sqrt(2))


def _betaln(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
