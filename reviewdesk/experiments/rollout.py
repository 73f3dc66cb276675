"""A rollout: the gate between its stages, B's promotion after the last, and the way back."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from abtests import rollout
from abtests.health import DEFAULTS, Check
from abtests.models import B, Experiment, Outcome, Phase
from abtests.reports import Report, report
from abtests.rollout import STAGES
from classifier.registry import services as registry
from classifier.registry.queries import find_version
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.experiments.services import in_test, not_in_test, ready, usurped
from reviewdesk.people.models import User

Status = Experiment.Status
GATE = timedelta(hours=24)  # a stage lasts at least so long
GATE_EMAILS = 100  # and B has answered so many
EVERY_EMAIL = set(DEFAULTS) - {Outcome.Metric.EDIT}  # drafts are edited by people, of some emails, or of none


@dataclass(frozen=True)
class Gate:
    """Whether a rollout may go to its next stage, and what is still missing."""

    open: bool
    sentence: str
    sound: bool = True  # nothing is wrong, it only waits


def gate(found: Report) -> Gate:
    early = [c for c in found.checks if c.state == "too early"]
    if found.trouble:
        return Gate(False, found.trouble, sound=False)
    if waits := _waits(found, [c for c in early if c.metric in EVERY_EMAIL]):
        return Gate(False, f"The next stage waits for {' and for '.join(waits)}.")
    holds = f"No guardrail is broken; {_listed(early)} cannot be judged yet" if early else "Every guardrail holds"
    return Gate(True, f"{holds}; the next stage may begin.")


def _waits(found: Report, early: list[Check]) -> list[str]:
    """What a stage still lacks: hours, emails of B, and once they are in what its guardrails need."""
    assert found.phase is not None
    waits = []
    left = found.phase.started_at + GATE - timezone.now()
    if left > timedelta(0):
        waits.append(f"{_hours(left)} at this stage")
    missing = GATE_EMAILS - found.emails[B]
    if missing > 0:
        unit = found.experiment.get_unit_display().lower()
        waits.append(f"{missing} more emails answered by B, of {unit}s new at this stage")
    elif early:
        last = max(early, key=lambda c: c.least - c.n)
        waits.append(f"{_listed(early)} to be judged: {last.n} of {last.least} emails an arm")
    return waits


def _listed(found: list[Check]) -> str:
    return ", ".join(dict.fromkeys(c.label.partition(",")[0].lower() for c in found))


def _hours(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600) + 1
    return f"{hours} more hour{'s' if hours > 1 else ''}"


def begin_rollout(*, experiment: Experiment, by: User | None = None, reason: str = "") -> Phase:
    """The first stage of B; its files are verified first, and A must still serve."""
    version = ready(experiment)
    phase = rollout.begin_rollout(experiment=experiment, by=by, reason=reason)
    in_test(version, by)
    return phase


def advance_if_open(*, experiment: Experiment, by: User | None = None, reason: str = "") -> Phase | None:
    """With a reason also where the gate still waits. Raises DeskError with what it waits for, or what is wrong."""
    seen = report(experiment)
    found = gate(seen)
    if seen.phase is None or not (found.open or (found.sound and reason.strip())):
        raise DeskError(found.sentence)
    return advance(experiment=experiment, after=seen.phase, by=by, reason=reason)


def advance(*, experiment: Experiment, after: Phase, by: User | None = None, reason: str = "") -> Phase | None:
    """The stage after the phase that was looked at; after the last B is promoted, and None is returned.

    Raises Conflict where A was replaced by somebody meanwhile.
    """
    version = find_version(experiment.treatment)
    registry.verify(version)
    with transaction.atomic():
        if why := usurped(experiment, lock=True):
            raise Conflict(why)
        phase = rollout.next_stage(experiment=experiment, after=after.pk, by=by, reason=reason)
        if phase is None:
            registry.promote(version=version, by=by, reason=f"rollout of the test {experiment.name}", verified=True)
    return phase


def roll_back(*, experiment: Experiment, by: User | None = None, reason: str = "", seen: Phase | None = None) -> None:
    """A answers everything again, at whatever stage; also after B was put into production."""
    if experiment.status != Status.DEPLOYED:
        rollout.roll_back(experiment=experiment, by=by, reason=reason, seen=seen)
        not_in_test(experiment, by)
        return
    control = find_version(experiment.control)
    registry.verify(control)
    with transaction.atomic():
        why = reason or f"rolled back from the test {experiment.name}"
        registry.roll_back(by=by, reason=why, serving=experiment.treatment, to=control, verified=True)
        rollout.note_rolled_back(experiment=experiment, by=by, reason=reason)


def stages(experiment: Experiment, found: Report) -> list[tuple[str, str]]:
    """Each stage of a rollout and its state: done, now, later."""
    share = found.phase.share if found.phase and experiment.status == Status.ROLLOUT else None
    if experiment.status == Status.DEPLOYED:
        return [*((f"{s:.0%}", "done") for s in STAGES), ("100%", "now")]
    marks = [(f"{s:.0%}", "later" if share is None or s > share else "now" if s == share else "done") for s in STAGES]
    return [*marks, ("100%", "later")]
