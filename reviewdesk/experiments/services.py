"""Tests between model versions, with what only the whole desk knows: the models, the traffic, the reviewers.

`abtests` knows text and numbers; here they become model versions that are loaded, promoted and rolled back.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from abtests import lifecycle, rollout
from abtests.health import DEFAULTS, Check, broken
from abtests.models import Experiment, Outcome, Phase
from abtests.planning import USUAL_DISAGREEMENT, USUAL_RATE, Plan, Traffic, plan_shadow, plan_split
from abtests.queries import ACTIVE
from abtests.reports import Report, report
from abtests.rollout import STAGES
from abtests.services import note_trouble
from classifier.accuracy.queries import by_version, weeks
from classifier.labels import confirmed
from classifier.models import ModelVersion, Prediction, ReviewItem, Source, Verification
from classifier.registry import services as registry
from classifier.registry.queries import aliases, find_version
from classifier.review.opening import give_back
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

logger = logging.getLogger(__name__)
Mode, Status = Experiment.Mode, Experiment.Status
SPAN = timedelta(days=28)
GATE = timedelta(hours=24)  # a stage lasts at least so long
GATE_EMAILS = 100  # and B has answered so many
EVERY_EMAIL = set(DEFAULTS) - {Outcome.Metric.EDIT}  # drafts are edited by people, of some emails, or of none


def traffic(departments: list[str]) -> Traffic:
    """Emails a week in these departments (none: in all), and answers that reviewers give a week, over four weeks."""
    since = timezone.now() - SPAN
    emails = Prediction.objects.filter(email__prediction=F("pk"), created_at__gte=since)
    if departments:
        emails = emails.filter(department__slug__in=departments)
    answers = confirmed(Verification.objects.filter(created_at__gte=since)).exclude(
        source__in=[Source.GOLD, Source.AGENT]
    )
    a_week = SPAN / timedelta(weeks=1)
    return Traffic(emails.count() / a_week, answers.count() / a_week)


def measured_rate(version: str) -> float:
    """The version's accuracy in the weekly samples; USUAL_RATE where there is none."""
    rates = {name: found.value for name, found in by_version(weeks())}
    return rates.get(version) or USUAL_RATE


def plan(
    *, mode: str, gain: float, share: float, weeks: int, departments: list[str], control: str,
    disagreement: float = USUAL_DISAGREEMENT,
) -> Plan:  # fmt: skip
    """What a test takes here. Raises DeskError for a gain that cannot be measured."""
    try:
        if mode == Mode.SHADOW:
            return plan_shadow(disagreement=disagreement, gain=gain, traffic=traffic(departments))
        return plan_split(
            rate=measured_rate(control), gain=gain, share=share, weeks=weeks, traffic=traffic(departments)
        )
    except ValueError as error:
        raise DeskError(f"{error}") from None


def plan_of(experiment: Experiment, share: float | None = None) -> Plan:
    """As it would begin now, by default with its own split."""
    e = experiment
    return plan(
        mode=e.mode, gain=e.gain, share=share or e.share, weeks=e.weeks, departments=e.departments, control=e.control,
        disagreement=e.disagreement,
    )  # fmt: skip


def start(*, experiment: Experiment, by: User | None = None) -> Phase:
    """Begin a test; the treatment's files are verified first. Raises DeskError where the control does not serve."""
    serving = aliases().get("production")
    if serving is None or serving.version != experiment.control:
        raise DeskError(f"{experiment.control} is not in production, {serving or 'no model'} is; A is what serves now.")
    version = find_version(experiment.treatment)
    registry.verify(version)
    phase = lifecycle.start(experiment=experiment, plan=plan_of(experiment), by=by)
    if version.state in (ModelVersion.State.CANDIDATE, ModelVersion.State.DEPRECATED):
        registry.set_testing(version=version, by=by)
    return phase


def change_share(*, experiment: Experiment, share: float, by: User | None = None) -> Phase:
    """Another split, with the labels planned anew at the mail that comes now."""
    return lifecycle.change_share(experiment=experiment, share=share, plan=plan_of(experiment, share), by=by)


def end(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    lifecycle.end(experiment=experiment, by=by, reason=reason)
    _not_in_test(experiment, by)


def _not_in_test(experiment: Experiment, by: User | None) -> None:
    """The treatment is a candidate again, unless another test has it."""
    others = Experiment.objects.filter(treatment=experiment.treatment, status__in=ACTIVE).exclude(pk=experiment.pk)
    version = ModelVersion.objects.filter(version=experiment.treatment, state=ModelVersion.State.TESTING).first()
    if version is not None and not others.exists():
        registry.restore(version=version, by=by)


@dataclass(frozen=True)
class Gate:
    """Whether a rollout may go to its next stage, and what is still missing."""

    open: bool
    sentence: str


def gate(found: Report) -> Gate:
    phase = found.phase
    assert phase is not None
    left = phase.started_at + GATE - timezone.now()
    missing = GATE_EMAILS - found.emails["B"]
    early = [c for c in found.checks if c.state == "too early"]
    waiting = [c for c in early if c.metric in EVERY_EMAIL]
    if found.trouble:
        return Gate(False, found.trouble)
    if left > timedelta(0) or missing > 0 or waiting:
        waits = [f"{_hours(left)} at this stage"] if left > timedelta(0) else []
        waits += [f"{missing} more emails answered by B"] if missing > 0 else []
        if waiting and missing <= 0:
            last = max(waiting, key=lambda c: c.least - c.n)
            waits.append(f"{_listed(waiting)} to be judged: {last.n} of {last.least} emails an arm")
        return Gate(False, f"The next stage waits for {' and for '.join(waits)}.")
    holds = f"No guardrail is broken; {_listed(early)} cannot be judged yet" if early else "Every guardrail holds"
    return Gate(True, f"{holds}; the next stage may begin.")


def _listed(found: list[Check]) -> str:
    return ", ".join(dict.fromkeys(c.label.partition(",")[0].lower() for c in found))


def _hours(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600) + 1
    return f"{hours} more hour{'s' if hours > 1 else ''}"


def begin_rollout(*, experiment: Experiment, by: User | None = None, reason: str = "") -> Phase:
    """The first stage of B; its files are verified first, and A must still serve."""
    serving = aliases().get("production")
    if serving is None or serving.version != experiment.control:
        raise DeskError(
            f"{experiment.control} is not in production, {serving or 'no model'} is; nothing to roll out from."
        )
    registry.verify(find_version(experiment.treatment))
    return rollout.begin_rollout(experiment=experiment, by=by, reason=reason)


def advance_if_open(*, experiment: Experiment, by: User | None = None) -> Phase | None:
    """Raises DeskError with what the gate waits for."""
    seen = report(experiment)
    found = gate(seen)
    if not found.open or seen.phase is None:
        raise DeskError(found.sentence)
    return advance(experiment=experiment, after=seen.phase.pk, by=by)


def advance(*, experiment: Experiment, after: int, by: User | None = None) -> Phase | None:
    """The stage after the phase that was looked at; after the last B is promoted, and None is returned."""
    version = find_version(experiment.treatment)
    registry.verify(version)
    with transaction.atomic():
        phase = rollout.next_stage(experiment=experiment, after=after, by=by)
        if phase is None:
            registry.promote(version=version, by=by, reason=f"rollout of the test {experiment.name}", verified=True)
    return phase


def roll_back(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    """A answers everything again, at whatever stage; also after B was put into production."""
    if experiment.status != Status.DEPLOYED:
        rollout.roll_back(experiment=experiment, by=by, reason=reason)
        _not_in_test(experiment, by)
        return
    with transaction.atomic():
        registry.roll_back(
            by=by, reason=reason or f"rolled back from the test {experiment.name}", serving=experiment.treatment,
            to=find_version(experiment.control),
        )  # fmt: skip
        rollout.note_rolled_back(experiment=experiment, by=by, reason=reason)


def watch() -> None:
    """What a worker does every few minutes: start, end, advance and roll back what is due."""
    now = timezone.now()
    for experiment in Experiment.objects.filter(status=Status.DRAFT, starts_at__lte=now):
        _start_due(experiment)
    for experiment in Experiment.objects.filter(status__in=ACTIVE):
        try:
            _look_at(experiment, report(experiment))
        except DeskError as error:  # somebody changed it at the same moment, or a file is missing: the others go on
            logger.warning("experiment %s was left as it is: %s", experiment.slug, error.message)
    release_samples()


def release_samples() -> None:
    """Nobody needs to answer what a test asked for that is over."""
    running = list(Experiment.objects.filter(status=Status.RUNNING))
    if any(not e.departments for e in running):
        return
    asking = {slug for e in running for slug in e.departments}
    give_back(ReviewItem.objects.exclude(email__department__slug__in=asking), taker=Source.EXPERIMENT)


def _start_due(experiment: Experiment) -> None:
    try:
        start(experiment=experiment)
    except DeskError as error:
        waiting = Experiment.objects.filter(pk=experiment.pk, status=Status.DRAFT)  # else somebody started it meanwhile
        waiting.update(starts_at=None, trouble=f"It did not start: {error.message}"[:300])


def _look_at(experiment: Experiment, found: Report) -> None:
    if found.trouble:
        note_trouble(experiment=experiment.pk, reason=found.trouble)
    if experiment.status == Status.ROLLOUT:
        if found.trouble:
            roll_back(experiment=experiment, reason=found.trouble)
        elif not experiment.held and found.phase is not None and gate(found).open:
            advance(experiment=experiment, after=found.phase.pk)
        return
    assert found.phase is not None
    if found.asked and not found.phase.complete:
        lifecycle.complete(phase=found.phase)
    if broken(found.checks) and experiment.mode == Mode.SPLIT:
        end(experiment=experiment, reason=found.trouble)
    elif timezone.now() > ends_at(experiment, found.phase):
        end(experiment=experiment, reason="its time is over")


def ends_at(experiment: Experiment, phase: Phase) -> datetime:
    """When a running test ends by itself: each split gets the weeks that were set."""
    return phase.started_at + timedelta(weeks=experiment.weeks)


def stages(experiment: Experiment, found: Report) -> list[tuple[str, str]]:
    """Each stage of a rollout and its state: done, now, later."""
    share = found.phase.share if found.phase and experiment.status == Status.ROLLOUT else None
    if experiment.status == Status.DEPLOYED:
        return [*((f"{s:.0%}", "done") for s in STAGES), ("100%", "now")]
    marks = [(f"{s:.0%}", "later" if share is None or s > share else "now" if s == share else "done") for s in STAGES]
    return [*marks, ("100%", "later")]
