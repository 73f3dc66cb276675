"""Units that are seated, and emails that are measured, in a test."""

from abtests.planning import Plan
from abtests.services import Metric, record_outcomes, seat_of

PLAN = Plan(planned=400, labels=400, weeks=2, sentence="", sample_a=0.5, sample_b=0.5)


def seats(n: int, start: int = 0):
    return [seat_of(department="it", thread=k, customer=1) for k in range(start, start + n)]


def measure(phase, arm: str, n: int, *, correct: int = 0, labelled: int = 0, offset: int = 0, **values):
    """n emails of an arm, of which the first `labelled` are judged."""
    usual = {Metric.CONFIDENCE: 0.8, Metric.LATENCY: 10.0, Metric.LOW: 0.0, Metric.ERROR: 0.0}
    for k in range(n):
        own = {**usual, **{metric: make_value(k) for metric, make_value in values.items()}}
        if k < labelled:
            own[Metric.CORRECT] = float(k < correct)
        record_outcomes(phase=phase.pk, subject=f"{arm}{k + offset}", arm=arm, values=own)


def b_wins(phase) -> None:
    """600 labels by which B is 25 points better."""
    measure(phase, "A", 300, labelled=300, correct=210)
    measure(phase, "B", 300, labelled=300, correct=285)
