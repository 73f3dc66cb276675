"""Puts units into arms and takes what was measured on them: what the mail of the desk tells the tests."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from abtests.assignment import assign as arm_of
from abtests.models import A, Assignment, B, Experiment, Outcome, Phase
from abtests.queries import ACTIVE, Active, active

logger = logging.getLogger(__name__)
Metric = Outcome.Metric
Status = Experiment.Status


@dataclass(frozen=True)
class Seat:
    """Where an email's unit sits: `serves` answers it, `shadow` (or "") scores it unseen, `sample` is the share to label.

    A unit that was put into its arm under another split is not `measured`: the arms would hold other populations.
    """

    phase: int
    arm: str
    control: str
    serves: str
    shadow: str
    sample: float
    measured: bool = True


def note_trouble(*, phase: int, reason: str) -> None:
    """Mark the phase of a test as unhealthy, once and while it runs; another split or start begins a sound one."""
    running = Phase.objects.filter(pk=phase, experiment__status__in=ACTIVE, ended_at=None, trouble="")
    if running.update(trouble=reason[:300]):
        logger.error("phase %s of an experiment is unhealthy: %s", phase, reason)


def seat_of(*, department: str, thread: int, customer: int) -> Seat | None:
    """Which arm answers this unit's mail, in the test that is active in its department; None where there is none.

    The first answer is stored, and kept when the split changes.
    """
    found = next(
        (a for a in active.get() if department in a.experiment.departments or not a.experiment.departments), None
    )
    if found is None:
        return None
    e, phase = found.experiment, found.phase
    if e.mode == Experiment.Mode.SHADOW and e.status == Status.RUNNING:
        return Seat(phase.pk, A, e.control, e.control, e.treatment, float(not phase.complete))
    unit = f"customer:{customer}" if e.unit == Experiment.Unit.CUSTOMER else f"thread:{thread}"
    arm, share = _arm(found, unit)
    serves, sample = (e.treatment, phase.sample_b) if arm == B else (e.control, phase.sample_a)
    sample = 0.0 if phase.complete else sample
    return Seat(phase.pk, arm, e.control, serves, "", sample, measured=share == phase.share)


def _arm(found: Active, unit: str) -> tuple[str, float]:
    """The unit's arm, and B's share when it was put there."""
    e, phase = found.experiment, found.phase
    known = Assignment.objects.filter(experiment=e, unit=unit).values_list("arm", "phase__share").first()
    if known is not None:
        return known
    arm = arm_of(unit, e.slug, [(A, 1 - phase.share), (B, phase.share)])
    try:
        with transaction.atomic():
            Assignment.objects.create(experiment=e, phase=phase, unit=unit, arm=arm)
    except IntegrityError:  # another worker met the unit at the same moment
        other = Assignment.objects.select_related("phase").get(experiment=e, unit=unit)
        return other.arm, other.phase.share
    return arm, phase.share


def record_outcomes(*, phase: int, subject: str, arm: str, values: Mapping[Metric, float]) -> None:
    """Store what was measured on a subject; a metric measured before keeps its newest value."""
    rows = [Outcome(phase_id=phase, subject=subject, arm=arm, metric=m, value=v) for m, v in values.items()]
    Outcome.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["phase", "subject", "arm", "metric"], update_fields=["value"]
    )


def record_outcome(*, subject: str, metric: Metric, value: float) -> None:
    """Store what was measured on a subject later, in the arm that served it; nothing where no test had it."""
    served = Outcome.objects.filter(subject=subject, metric=Metric.CONFIDENCE, phase__share__gt=0)
    for phase, arm in served.values_list("phase", "arm"):
        record_outcomes(phase=phase, subject=subject, arm=arm, values={metric: value})
        _judge_anew(phase)


def judge(*, subject: str, right: Mapping[str, bool] | None) -> None:
    """Store which models (by version) were right on a subject, in each phase that asked; None takes it back."""
    asked = Outcome.objects.filter(subject=subject, metric__in=[Metric.CONFIDENCE, Metric.DISAGREE])
    for phase, arm, metric in asked.values_list("phase", "arm", "metric").distinct():
        experiment = Experiment.objects.get(phases=phase)
        if metric == Metric.DISAGREE:
            known = right is not None and {experiment.control, experiment.treatment} <= right.keys()
            value = float(right[experiment.treatment] - right[experiment.control]) if known and right else None
            _keep(phase, subject, "", Metric.PAIR, value)
        elif experiment.mode == Experiment.Mode.SPLIT:
            version = experiment.treatment if arm == B else experiment.control
            _keep(
                phase,
                subject,
                arm,
                Metric.CORRECT,
                None if right is None or version not in right else float(right[version]),
            )


def _judge_anew(phase: int) -> None:
    """What comes in after a phase has ended may change its verdict: the one that was kept does not hold any more."""
    Phase.objects.filter(pk=phase).exclude(verdict="").update(verdict="")


def _keep(phase: int, subject: str, arm: str, metric: Metric, value: float | None) -> None:
    _judge_anew(phase)
    if value is None:
        Outcome.objects.filter(phase=phase, subject=subject, arm=arm, metric=metric).delete()
    else:
        record_outcomes(phase=phase, subject=subject, arm=arm, values={metric: value})
