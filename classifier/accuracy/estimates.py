"""Accuracy from strata, and the rule that raises an alert: pure functions of counts.

A stratum that people verified whole adds no doubt; the others add Wilson's, scaled by their share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import sqrt

from ml.intervals import wilson_interval

CONFIDENCE = 0.95
WINDOWS = (1, 2, 4)  # weeks pooled
DEPARTMENT_WEEKS = 4
DEPARTMENT_LEAST = 30  # labels, below which a department is shown and not alarmed


@dataclass(frozen=True)
class Stratum:
    """`correct` of `n` labels, out of `population` emails; `covered`: every one of them was verified."""

    name: str
    population: int
    n: int
    correct: int
    covered: bool = False


@dataclass(frozen=True)
class Proportion:
    """A share with its interval; `value` is None where there is no label. `n` counts labels of sampled strata."""

    value: float | None
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


NOTHING = Proportion(None, 0.0, 1.0, 0)


def weighted(strata: Sequence[Stratum], confidence: float = CONFIDENCE) -> Proportion:
    """The share of right ones over all strata, each weighted by its population.

    Distances of the sampled strata's Wilson bounds are scaled by their shares and added as squares; with one
    sampled stratum that is Wilson's interval scaled by its share. A stratum without a label keeps its whole
    range, and the value leaves it out.
    """
    present = [s for s in strata if s.population]
    known = [s for s in present if s.n]
    if not known:
        return NOTHING
    total, seen = sum(s.population for s in present), sum(s.population for s in known)
    value = sum(s.population / seen * s.correct / s.n for s in known)
    below = above = unknown = 0.0
    for s in present:
        share = s.population / total
        if not s.n:
            unknown += share
        elif not s.covered:
            low, high = wilson_interval(s.correct, s.n, confidence)
            below += (share * (s.correct / s.n - low)) ** 2
            above += (share * (high - s.correct / s.n)) ** 2
    middle = value * (1 - unknown)
    n = sum(s.n for s in known if not s.covered)
    return Proportion(value, max(0.0, middle - sqrt(below)), min(1.0, middle + unknown + sqrt(above)), n)


def pooled(weeks: Sequence[Sequence[Stratum]]) -> list[Stratum]:
    """The strata of several weeks, those of one name added; covered only where each was."""
    found: dict[str, Stratum] = {}
    for s in chain(*weeks):
        old = found.get(s.name, Stratum(s.name, 0, 0, 0, covered=True))
        found[s.name] = Stratum(
            s.name, old.population + s.population, old.n + s.n, old.correct + s.correct, old.covered and s.covered
        )
    return list(found.values())


@dataclass(frozen=True)
class Alarm:
    """The latest `weeks`, pooled, are below the bar."""

    weeks: int
    proportion: Proportion


def alarm(weeks: Sequence[Sequence[Stratum]], *, bar: float) -> Alarm | None:
    """Whether the last one, two or four weeks (newest first) lie below `bar` by their upper bound.

    On a true 88% against a bar of 85%, with 100 labels a week, this fires in 0.4% of weeks; on 78% within three
    weeks in 94% of cases. "Under 85% this week" alone would fire in 14% of weeks on a true 88%.
    """
    for span in WINDOWS:
        if len(weeks) >= span:
            found = weighted(pooled(weeks[:span]))
            if found.value is not None and found.high < bar:
                return Alarm(span, found)
    return None


def department_alarm(weeks: Sequence[Sequence[Stratum]], *, bar: float, departments: int) -> Alarm | None:
    """The same of one among `departments`: four weeks pooled, with the confidence Bonferroni asks for."""
    strata = pooled(weeks[:DEPARTMENT_WEEKS])
    found = weighted(strata, 1 - (1 - CONFIDENCE) / max(departments, 1))
    if len(weeks) < DEPARTMENT_WEEKS or sum(s.n for s in strata) < DEPARTMENT_LEAST or found.high >= bar:
        return None
    return Alarm(DEPARTMENT_WEEKS, found)
