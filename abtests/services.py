"""Makes, starts, changes and ends tests; puts units into arms; takes what was measured.

Each change of who gets which model is in the audit trail: the ledger of a test.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from abtests.assignment import assign as arm_of
from abtests.health import DEFAULTS
from abtests.models import A, Assignment, B, Experiment, Outcome, Phase
from abtests.planning import Plan
from abtests.queries import Active, active, current_phase
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

logger = logging.getLogger(__name__)
Metric = Outcome.Metric
Status = Experiment.Status
RESERVED = {"new", "plan", "make"}  # pages of their own
STAGES = (0.1, 0.5)  # of a rollout; after them B is in production


@dataclass(frozen=True)
class Seat:
    """Where an email's unit sits: `serves` answers it, `shadow` (or "") scores it unseen, `sample` is the share to label.

    A unit that was put into its arm under another split is not `measured`: the arms would hold other populations.
    """

    experiment: int
    phase: int
    arm: str
    control: str
    serves: str
    shadow: str
    sample: float
    measured: bool = True


def create(*, by: User, **fields: object) -> Experiment:
    """Store a test that has not started. Raises DeskError naming each field that is out of range."""
    experiment = Experiment(created_by=by.username, **fields)
    experiment.slug = _free_slug(experiment.name)
    if experiment.control == experiment.treatment:
        message = f"both models are {experiment.control}; allowed: two different ones"
        raise DeskError(message, fields={"treatment": [message]})
    unknown = set(experiment.guardrails) - set(DEFAULTS)
    if unknown:
        raise DeskError(f"guardrail is {sorted(unknown)[0]!r}; allowed: {', '.join(DEFAULTS)}")
    try:
        experiment.full_clean()
    except ValidationError as error:
        said = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
        raise DeskError(said, fields=error.message_dict) from None
    with transaction.atomic():
        experiment.save()
        record(action="create", target=experiment, actor=by, control=experiment.control, treatment=experiment.treatment)
    return experiment


def _free_slug(name: str) -> str:
    base = slugify(name)[:70] or "test"
    taken = RESERVED | set(Experiment.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(s for n in range(1, len(taken) + 2) if (s := base if n == 1 else f"{base}-{n}") not in taken)


def start(*, experiment: Experiment, plan: Plan, by: User | None = None, now: datetime | None = None) -> Phase:
    """Begin a test, or go on with one that was ended; its figures begin anew, units keep their arms.

    Raises Conflict when another test is active in one of its departments.
    """
    now = now or timezone.now()
    with transaction.atomic():
        experiment = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if experiment.status not in (Status.DRAFT, Status.ENDED):
            raise Conflict(f"{experiment} is {experiment.get_status_display().lower()}; a test is started once.")
        _check_overlap(experiment)
        experiment.status, experiment.trouble, experiment.planned = Status.RUNNING, "", plan.planned
        experiment.started_at, experiment.ended_at = now, None
        experiment.save()
        share = 0.0 if experiment.mode == Experiment.Mode.SHADOW else experiment.share
        phase = _begin(experiment, share, now, plan.sample_a, plan.sample_b)
        record(action="start", target=experiment, actor=by, share=share, planned=plan.planned, phase=phase.number)
    return phase


def _check_overlap(experiment: Experiment) -> None:
    for other in Experiment.objects.filter(status__in=[Status.RUNNING, Status.ROLLOUT]).exclude(pk=experiment.pk):
        shared = set(other.departments) & set(experiment.departments)
        if shared or not other.departments or not experiment.departments:
            where = ", ".join(sorted(shared)) or "every department"
            raise Conflict(f"The test {other} is active in {where}; end it first, or choose other departments.")


def _begin(experiment: Experiment, share: float, now: datetime, sample_a: float = 0.0, sample_b: float = 0.0) -> Phase:
    last = current_phase(experiment)
    if last is not None and last.ended_at is None:
        last.ended_at = max(now, last.started_at)
        last.save(update_fields=["ended_at"])
    phase = Phase.objects.create(
        experiment=experiment, number=last.number + 1 if last else 1, share=share, started_at=now,
        sample_a=sample_a, sample_b=sample_b,
    )  # fmt: skip
    _forget()
    return phase


def change_share(*, experiment: Experiment, share: float, by: User | None = None) -> Phase:
    """Another split from now on, as a phase of its own. Raises DeskError for a shadow test or a share out of range."""
    if experiment.mode == Experiment.Mode.SHADOW and experiment.status != Status.ROLLOUT:
        raise DeskError("B answers no mail in a shadow test; its split cannot be changed.")
    if not 0 < share < 1:
        raise DeskError(f"share is {share}; allowed: above 0 and below 1", fields={"share": ["is out of range"]})
    with transaction.atomic():
        experiment = _active(experiment)
        before = current_phase(experiment)
        assert before is not None
        phase = _begin(experiment, share, timezone.now(), before.sample_a, before.sample_b)
        Experiment.objects.filter(pk=experiment.pk).update(share=share)
        record(action="change split", target=experiment, actor=by, before=before.share, after=share, phase=phase.number)
    return phase


def end(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    """Let the control answer everything again; what was measured stays."""
    with transaction.atomic():
        experiment = _active(experiment)
        _close(experiment, Status.ENDED)
        record(action="end", target=experiment, actor=by, reason=reason)


def begin_rollout(*, experiment: Experiment, by: User | None = None) -> Phase:
    """Give B its first stage of a rollout."""
    with transaction.atomic():
        experiment = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if experiment.status not in (Status.RUNNING, Status.ENDED):
            raise Conflict(f"{experiment} is {experiment.get_status_display().lower()}; a rollout follows a test.")
        _check_overlap(experiment)
        experiment.status, experiment.held, experiment.trouble = Status.ROLLOUT, False, ""
        experiment.ended_at = None
        experiment.save()
        phase = _begin(experiment, STAGES[0], timezone.now())
        record(action="roll out", target=experiment, actor=by, share=phase.share, phase=phase.number)
    return phase


def next_stage(*, experiment: Experiment, after: int, by: User | None = None) -> Phase | None:
    """The stage that follows the phase `after`; None after the last, when B is to be put into production.

    Raises Conflict where another was quicker, so that no stage is skipped, and where nobody asks and it is held.
    """
    with transaction.atomic():
        experiment = _active(experiment)
        if experiment.status != Status.ROLLOUT:
            raise Conflict(f"{experiment} is not being rolled out.")
        phase = current_phase(experiment)
        if phase is None or phase.pk != after or (by is None and experiment.held):
            raise Conflict(f"{experiment} has gone to another stage, or is held, since it was looked at.")
        later = [share for share in STAGES if share > phase.share]
        if not later:
            _close(experiment, Status.DEPLOYED)
            record(action="deploy", target=experiment, actor=by, version=experiment.treatment)
            return None
        record(action="next stage", target=experiment, actor=by, before=phase.share, after=later[0])
        return _begin(experiment, later[0], timezone.now())


def hold(*, experiment: Experiment, held: bool, by: User | None = None) -> None:
    """Keep a rollout at its stage, or let it go on."""
    with transaction.atomic():
        experiment = _active(experiment)
        Experiment.objects.filter(pk=experiment.pk).update(held=held)
        record(action="hold" if held else "go on", target=experiment, actor=by)


def roll_back(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    """End a rollout: A answers everything again."""
    with transaction.atomic():
        experiment = _active(experiment)
        _close(experiment, Status.ROLLED_BACK)
        if reason:
            Experiment.objects.filter(pk=experiment.pk).update(trouble=reason[:300])
        record(action="roll back", target=experiment, actor=by, reason=reason)


def note_rolled_back(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    """After B was in production and is not any more."""
    with transaction.atomic():
        _close(experiment, Status.ROLLED_BACK)
        record(action="roll back", target=experiment, actor=by, reason=reason)


def _active(experiment: Experiment) -> Experiment:
    found = Experiment.objects.select_for_update().get(pk=experiment.pk)
    if not found.active:
        raise Conflict(f"{found} is {found.get_status_display().lower()}; only an active test can be changed.")
    return found


def _close(experiment: Experiment, status: Status) -> None:
    now = timezone.now()
    Phase.objects.filter(experiment=experiment, ended_at=None).update(ended_at=now)
    Experiment.objects.filter(pk=experiment.pk).update(status=status, ended_at=now)
    experiment.status = status
    _forget()


def _forget() -> None:
    active.forget()
    transaction.on_commit(active.forget)


def note_trouble(*, experiment: int, reason: str) -> None:
    """Mark a test unhealthy, once; it stays so until it is started again."""
    active_ones = Experiment.objects.filter(status__in=[Status.RUNNING, Status.ROLLOUT])
    if active_ones.filter(pk=experiment, trouble="").update(trouble=reason[:300]):
        logger.error("experiment %s is unhealthy: %s", experiment, reason)


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
        return Seat(e.pk, phase.pk, A, e.control, e.control, e.treatment, 1.0)
    unit = f"customer:{customer}" if e.unit == Experiment.Unit.CUSTOMER else f"thread:{thread}"
    arm, share = _arm(found, unit)
    serves, sample = (e.treatment, phase.sample_b) if arm == B else (e.control, phase.sample_a)
    return Seat(e.pk, phase.pk, arm, e.control, serves, "", sample, measured=share == phase.share)


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


def _keep(phase: int, subject: str, arm: str, metric: Metric, value: float | None) -> None:
    if value is None:
        Outcome.objects.filter(phase=phase, subject=subject, arm=arm, metric=metric).delete()
    else:
        record_outcomes(phase=phase, subject=subject, arm=arm, values={metric: value})
