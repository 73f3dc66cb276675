"""Guardrails: what B may not make worse, each judged with a bound that holds at every look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, sqrt

from django.db.models import Avg, Count, F, QuerySet

from abtests.models import A, B, Outcome
from abtests.statistics import MIN_LABELS, mean_interval

Metric = Outcome.Metric
QUANTILE = 0.95
SURE = 3.3  # standard errors of a rank, so that many looks raise few alarms
LEAST_LATENCIES = 200
TUNED_AT = 5_000  # emails at which the bounds are narrowest
LATENCY_RATIO, LATENCY_MS = "latency_ratio", "latency_ms"
DEFAULTS: dict[str, float | None] = {
    Metric.CONFIDENCE: 0.05,
    Metric.LOW: 0.05,
    Metric.ERROR: 0.01,
    Metric.EDIT: 0.1,
    LATENCY_RATIO: 1.2,
    LATENCY_MS: None,
}
WORSE = {Metric.CONFIDENCE: -1, Metric.LOW: 1, Metric.ERROR: 1, Metric.EDIT: 1}
SHARES = (Metric.LOW, Metric.ERROR)


@dataclass(frozen=True)
class Sample:
    """A metric in an arm: n, mean and variance, and of latency the 95th percentile with a lower bound of it."""

    n: int
    mean: float | None
    variance: float
    quantile: float | None = None
    quantile_low: float | None = None

    @classmethod
    def of(cls, outcomes: QuerySet[Outcome], *, quantile: bool) -> "Sample":
        found = outcomes.aggregate(n=Count("pk"), mean=Avg("value"), square=Avg(F("value") * F("value")))
        n, mean = found["n"], found["mean"]
        variance = max(found["square"] - mean**2, 0.0) if n else 0.0
        if not quantile or n < LEAST_LATENCIES:
            return cls(n, mean, variance)
        ordered = outcomes.order_by("value").values_list("value", flat=True)
        rank = floor(n * QUANTILE)
        low = max(floor(n * QUANTILE - SURE * sqrt(n * QUANTILE * (1 - QUANTILE))), 0)
        return cls(n, mean, variance, ordered[rank], ordered[low])


@dataclass(frozen=True)
class Check:
    """One guardrail: both arms' values, what is allowed, whether that is surely exceeded, and whether that is known."""

    metric: str
    label: str
    a: float | None
    b: float | None
    allowed: str
    broken: bool
    said: str
    n: int
    least: int  # emails from which breaking it would be seen

    @property
    def measured(self) -> bool:
        return self.n >= self.least

    @property
    def state(self) -> str:
        return "broken" if self.broken else "holds" if self.measured else "too early"


def checks(samples: Mapping[str, Mapping[str, Sample]], guardrails: Mapping[str, float | None]) -> list[Check]:
    """Of each metric that was measured; a guardrail whose bound is None is not watched."""
    bounds = DEFAULTS | dict(guardrails)
    found = [_mean_check(metric, samples[metric], bounds[metric]) for metric in WORSE if bounds[metric] is not None]
    return [*found, *_latency_checks(samples[Metric.LATENCY], bounds)]


def _mean_check(metric: Metric, arms: Mapping[str, Sample], bound: float | None) -> Check:
    assert bound is not None
    a, b = arms[A], arms[B]
    worse, broken = 0.0, False
    if min(a.n, b.n) >= MIN_LABELS and a.mean is not None and b.mean is not None:
        low, high = mean_interval((a.n, a.mean, a.variance), (b.n, b.mean, b.variance), planned=TUNED_AT)
        worse = (b.mean - a.mean) * WORSE[metric]
        broken = (low if WORSE[metric] > 0 else -high) > bound
    direction = "up" if WORSE[metric] > 0 else "down"
    shown = f"{bound * 100:g} points" if metric in SHARES else f"{bound:g}"
    said = f"{metric.label.lower()} is {direction} by {_amount(metric, worse)}, allowed {shown}"
    return Check(
        metric, metric.label, a.mean, b.mean, f"{direction} by {shown}", broken, said, min(a.n, b.n), MIN_LABELS
    )


def _latency_checks(arms: Mapping[str, Sample], bounds: Mapping[str, float | None]) -> list[Check]:
    a, b = arms[A], arms[B]
    found = []
    known = a.quantile is not None and b.quantile_low is not None
    ratio, absolute = bounds[LATENCY_RATIO], bounds[LATENCY_MS]
    label, n = Metric.LATENCY.label, min(a.n, b.n)
    if ratio is not None:
        broken = known and b.quantile_low > ratio * a.quantile  # type: ignore[operator]
        said = f"latency of B is over {ratio:g} times that of A"
        found.append(
            Check(LATENCY_RATIO, label, a.quantile, b.quantile, f"{ratio:g} × A's", broken, said, n, LEAST_LATENCIES)
        )
    if absolute is not None:
        low, shown = b.quantile_low, f"{absolute:g} ms"
        said = f"latency of B is over {shown}"
        worse = low is not None and low > absolute
        found.append(
            Check(LATENCY_MS, f"{label}, bound", a.quantile, b.quantile, shown, worse, said, b.n, LEAST_LATENCIES)
        )
    return found


def _amount(metric: Metric, value: float) -> str:
    return f"{value * 100:.1f} points" if metric in SHARES else f"{value:.3f}"


def broken(found: Sequence[Check]) -> list[Check]:
    return [check for check in found if check.broken]
