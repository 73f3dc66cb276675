"""Makes, starts, changes and ends tests: who gets which model, and from when.

Each change is in the audit trail, the ledger of a test, with what the test had shown until then.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from abtests.health import DEFAULTS
from abtests.models import Experiment, Phase
from abtests.planning import Plan
from abtests.queries import active, current_phase
from abtests.reports import report
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

Status = Experiment.Status
RESERVED = {"new", "plan", "make"}  # pages of their own


def create(*, by: User, **fields: Any) -> Experiment:
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
        experiment = to_begin(experiment)
        if experiment.status not in (Status.DRAFT, Status.ENDED):
            raise Conflict(f"{experiment} is {experiment.get_status_display().lower()}; a test is started once.")
        experiment.status, experiment.trouble = Status.RUNNING, ""
        experiment.started_at, experiment.ended_at = now, None
        experiment.save()
        share = 0.0 if experiment.mode == Experiment.Mode.SHADOW else experiment.share
        phase = begin_phase(experiment, share, plan, now=now)
        record(action="start", target=experiment, actor=by, share=share, planned=plan.planned, phase=phase.number)
    return phase


def change_share(*, experiment: Experiment, share: float, plan: Plan, by: User | None = None) -> Phase:
    """Another split from now on, as a phase of its own with a plan of its own.

    Raises DeskError for a shadow test, a rollout, or a share that is out of range or is what B has.
    """
    if not 0 < share < 1:
        raise DeskError(f"share is {share}; allowed: above 0 and below 1", fields={"share": ["is out of range"]})
    with transaction.atomic():
        experiment = active_one(experiment)
        before = current_phase(experiment)
        assert before is not None
        if before.shadow:
            raise DeskError("B answers no mail in a shadow test; its split cannot be changed.")
        if before.stage:
            raise DeskError("The split of a rollout goes by its stages; hold it, or roll it back.")
        if before.share == share:
            raise DeskError(f"B has {share:.0%} of the mail already; its figures would begin anew for nothing.")
        phase = begin_phase(experiment, share, plan)
        before.refresh_from_db()
        Experiment.objects.filter(pk=experiment.pk).update(share=share)
        record(
            action="change split", target=experiment, actor=by, before=before.share, after=share,
            planned=plan.planned, phase=phase.number, **_shown(before),
        )  # fmt: skip
    return phase


def end(*, experiment: Experiment, by: User | None = None, reason: str = "", seen: Phase | None = None) -> None:
    """Let the control answer everything again; what was measured stays.

    Raises Conflict for a rollout, and where another phase than the one that was `seen` runs.
    """
    with transaction.atomic():
        experiment = active_one(experiment, seen)
        if experiment.status == Status.ROLLOUT:
            raise Conflict(f"{experiment} is being rolled out; roll it back.")
        last = close(experiment, Status.ENDED)
        record(action="end", target=experiment, actor=by, reason=reason, **_shown(last))


def complete(*, phase: Phase) -> None:
    """Ask nobody about more emails of this phase: as many as planned were asked for."""
    with transaction.atomic():
        if Phase.objects.filter(pk=phase.pk, complete=False).update(complete=True):
            record(action="as many as planned", target=phase.experiment, planned=phase.planned, phase=phase.number)
    _forget()


def rename_department(*, old: str, new: str) -> None:
    """Tests of a department that is part of another are of that one. Raises Conflict where it would bring other mail
    into an active test.
    """
    for experiment in Experiment.objects.select_for_update().order_by("pk"):
        both = {old, new} & set(experiment.departments)
        if experiment.active and len(both) == 1:
            raise Conflict(f"The test {experiment} is active in {min(both)}, its mail would change; end it first.")
        if old in both:
            experiment.departments = sorted({*experiment.departments, new} - {old})
            experiment.save(update_fields=["departments"])
            record(action="merge department", target=experiment, before=old, after=new)
    _forget()


def to_begin(experiment: Experiment) -> Experiment:
    """The test, locked with all others so that of two started at once one sees the other.

    Raises Conflict when another test is active in one of its departments.
    """
    tests = list(Experiment.objects.select_for_update().order_by("pk"))
    found = next(e for e in tests if e.pk == experiment.pk)
    for other in tests:
        if other.active and other != found and (where := overlap(other.departments, found.departments)):
            raise Conflict(f"The test {other} is active in {where}; end it first, or choose other departments.")
    return found


def overlap(one: list[str], other: list[str]) -> str:
    """The departments of both, in words; none named means every department."""
    if not one or not other:
        return "every department"
    return ", ".join(sorted(set(one) & set(other)))


def active_one(experiment: Experiment, seen: Phase | None = None) -> Experiment:
    """The test, locked. Raises Conflict when it is not active, or not in the phase that was `seen`."""
    found = Experiment.objects.select_for_update().get(pk=experiment.pk)
    if not found.active:
        raise Conflict(f"{found} is {found.get_status_display().lower()}; only an active test can be changed.")
    if seen is not None and current_phase(found) != seen:
        raise Conflict(f"{found} has gone to another phase since it was looked at.")
    return found


def begin_phase(
    experiment: Experiment, share: float, plan: Plan | None = None, *, now: datetime | None = None
) -> Phase:
    """End the phase that runs and begin the next; without a plan it asks nobody for labels."""
    now = now or timezone.now()
    _end_phase(experiment, now)
    last = current_phase(experiment)
    asked = {"planned": plan.planned, "sample_a": plan.sample_a, "sample_b": plan.sample_b} if plan else {}
    phase = Phase.objects.create(
        experiment=experiment, number=last.number + 1 if last else 1, share=share, started_at=now, **asked
    )
    _forget()
    return phase


def close(experiment: Experiment, status: Experiment.Status) -> Phase | None:
    """End the phase that runs, and the test with this status. Returns the phase that ended."""
    now = timezone.now()
    last = _end_phase(experiment, now)
    Experiment.objects.filter(pk=experiment.pk).update(status=status, ended_at=now)
    experiment.status = status
    _forget()
    return last


def _end_phase(experiment: Experiment, now: datetime) -> Phase | None:
    """Keeps the verdict as it was then."""
    phase = current_phase(experiment)
    if phase is None or phase.ended_at is not None:
        return None
    phase.ended_at = max(now, phase.started_at)
    if not phase.stage:
        verdict = report(experiment, phase).verdict
        phase.verdict, phase.sentence = verdict.status.value, verdict.sentence[:400]
    phase.save(update_fields=["ended_at", "verdict", "sentence"])
    return phase


def _shown(phase: Phase | None) -> dict[str, str]:
    """What a phase that has ended had shown, for the ledger."""
    return {"verdict": phase.verdict, "shown": phase.sentence.rstrip(".")} if phase and phase.verdict else {}


def _forget() -> None:
    active.forget()
    transaction.on_commit(active.forget)
