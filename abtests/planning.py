"""How many labels a test needs and how long it takes, from the desk's real traffic and review rate."""

from dataclasses import dataclass
from math import ceil

from abtests.statistics import MIN_LABELS, labels_an_arm, shadow_plan

USUAL_RATE = 0.85
USUAL_DISAGREEMENT = 0.06


@dataclass(frozen=True)
class Traffic:
    """Emails and human answers a week, as measured; nought where nothing was."""

    emails: float
    answers: float


@dataclass(frozen=True)
class Plan:
    """`planned` is what is fixed at the start: labels over both arms, or emails scored in a shadow test."""

    planned: int
    labels: int
    weeks: int | None  # until both traffic and reviewers have given enough; None where that is never
    sentence: str
    sample_a: float = 0.0  # share of an arm's emails to label
    sample_b: float = 0.0


def usual_plan(gain: float) -> int:
    """Labels over both arms of a split test of this gain, at the usual accuracy."""
    return 2 * (labels_an_arm(USUAL_RATE, gain, any_look=True) or 1)


def plan_split(*, rate: float, gain: float, share: float, weeks: int, traffic: Traffic) -> Plan:
    """A split test that may be decided at any look, its labels equal in both arms."""
    rate = min(rate, 1 - gain)  # nothing is more often right than always
    an_arm = max(labels_an_arm(rate, gain, any_look=True) or 1, MIN_LABELS)
    smaller = traffic.emails * min(share, 1 - share)
    needed = _weeks(an_arm, smaller), _weeks(2 * an_arm, traffic.answers)
    rate_small = _rate(an_arm, weeks * smaller)
    rate_large = rate_small * min(share, 1 - share) / max(share, 1 - share)
    sample_a, sample_b = (rate_large, rate_small) if share <= 0.5 else (rate_small, rate_large)
    return Plan(
        planned=2 * an_arm,
        labels=2 * an_arm,
        weeks=None if None in needed else max(n for n in needed if n is not None),
        sentence=f"{an_arm:,} labels an arm show a gain of {gain:.1%} over {rate:.0%} four times in five.",
        sample_a=sample_a,
        sample_b=sample_b,
    )


def plan_shadow(*, disagreement: float, gain: float, traffic: Traffic) -> Plan:
    """A shadow test: people label only what the two disagree on. Raises ValueError for a gain that cannot be."""
    found = shadow_plan(disagreement, gain)
    planned = max(found.scored, MIN_LABELS)
    needed = _weeks(planned, traffic.emails), _weeks(found.labels, traffic.answers)
    return Plan(
        planned=planned,
        labels=found.labels,
        weeks=None if None in needed else max(n for n in needed if n is not None),
        sentence=(
            f"{planned:,} emails scored by both, and {found.labels:,} labels where they disagree "
            f"(if that is {disagreement:.0%}), show a gain of {gain:.1%} four times in five."
        ),
    )


def _weeks(needed: float, a_week: float) -> int | None:
    return ceil(needed / a_week) if a_week else None


def _rate(labels: int, emails: float) -> float:
    """Of the mail of the smaller arm; all of it where it is too little, or where no mail came to plan with."""
    return min(1.0, labels / emails) if emails else 1.0
