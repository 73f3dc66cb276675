"""How the effect of a test came to be: the difference and its interval at the end of each day."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from abtests.models import A, B, Outcome, Phase
from abtests.statistics import Counts, Pairs, always_valid_interval, paired_interval

Metric = Outcome.Metric


@dataclass(frozen=True)
class Day:
    """What was known at the end of a day; `interval` is None while it is too early."""

    day: date
    difference: float
    interval: tuple[float, float] | None
    labels: int


def days(phase: Phase) -> list[Day]:
    """One for each day on which something was measured, the first first."""
    return _pair_days(phase) if phase.shadow else _split_days(phase)


def _split_days(phase: Phase) -> list[Day]:
    sums: dict[date, dict[str, Counts]] = defaultdict(dict)
    rows = Outcome.objects.filter(phase=phase, metric=Metric.CORRECT).annotate(day=TruncDate("created_at"))
    for day, arm, n, correct in rows.values_list("day", "arm").annotate(n=Count("pk"), c=Sum("value")).order_by("day"):
        sums[day][arm] = Counts(n, round(correct))
    found, arms = [], {A: Counts(0, 0), B: Counts(0, 0)}
    for day, new in sums.items():
        arms = {
            arm: Counts(old.n + new[arm].n, old.correct + new[arm].correct) if arm in new else old
            for arm, old in arms.items()
        }
        interval = always_valid_interval(arms[A], arms[B], planned=max(phase.planned, 1))
        found.append(Day(day, arms[B].rate - arms[A].rate, interval, arms[A].n + arms[B].n))
    return found


def _pair_days(phase: Phase) -> list[Day]:
    """Emails still without a label are left out, as in the report, with as large a share of those that agree."""
    changes: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = Outcome.objects.filter(phase=phase, metric__in=[Metric.DISAGREE, Metric.PAIR])
    counted = rows.annotate(day=TruncDate("created_at")).values_list("day", "metric", "value").annotate(n=Count("pk"))
    for day, metric, value, n in counted.order_by("day"):
        changes[day][f"{metric} {value:g}"] += n
    found, sums = [], defaultdict(int)  # type: ignore[var-annotated]
    for day, new in changes.items():
        for name, n in new.items():
            sums[name] += n
        disagreed = sums["disagree 1"]
        labelled = sum(sums[f"pair {v}"] for v in ("-1", "0", "1"))
        scored = sums["disagree 0"] + disagreed
        pairs = Pairs(round(scored * labelled / disagreed) if disagreed else scored, sums["pair -1"], sums["pair 1"])
        found.append(Day(day, pairs.difference, paired_interval(pairs, planned=max(phase.planned, 1)), labelled))
    return found
