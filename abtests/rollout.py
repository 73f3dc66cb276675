"""Gives B the mail by stages once a test is over, and takes it back."""

from django.db import transaction

from abtests.lifecycle import active_one, begin_phase, close, to_begin
from abtests.models import Experiment, Phase
from abtests.queries import current_phase
from abtests.reports import result
from abtests.verdict import Status as Word
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

Status = Experiment.Status
STAGES = (0.1, 0.5)  # of the mail; after them B is in production


def begin_rollout(*, experiment: Experiment, by: User | None = None, reason: str = "") -> Phase:
    """Give B its first stage. Raises DeskError where the test did not say so and no reason is given."""
    with transaction.atomic():
        experiment = to_begin(experiment)
        if experiment.status not in (Status.RUNNING, Status.ENDED):
            raise Conflict(f"{experiment} is {experiment.get_status_display().lower()}; a rollout follows a test.")
        verdict = result(experiment).verdict
        if verdict.status != Word.DEPLOY and not reason.strip():
            raise DeskError(
                f"The verdict is “{verdict.status}”: {verdict.sentence} Say why B is rolled out all the same.",
                fields={"reason": ["is needed"]},
            )
        experiment.status, experiment.held, experiment.ended_at = Status.ROLLOUT, False, None
        experiment.save()
        phase = begin_phase(experiment, STAGES[0])
        record(
            action="roll out", target=experiment, actor=by, share=phase.share, phase=phase.number,
            verdict=verdict.status, shown=verdict.sentence.rstrip("."), reason=reason,
        )  # fmt: skip
    return phase


def next_stage(*, experiment: Experiment, after: int, by: User | None = None, reason: str = "") -> Phase | None:
    """The stage that follows the phase `after`; None after the last, when B is to be put into production.

    Raises Conflict where another was quicker, so that no stage is skipped, and where nobody asks and it is held.
    """
    with transaction.atomic():
        experiment = _rolling(experiment)
        phase = current_phase(experiment)
        if phase is None or phase.pk != after or (by is None and experiment.held):
            raise Conflict(f"{experiment} has gone to another stage, or is held, since it was looked at.")
        later = [share for share in STAGES if share > phase.share]
        if not later:
            close(experiment, Status.DEPLOYED)
            record(action="deploy", target=experiment, actor=by, version=experiment.treatment, reason=reason)
            return None
        record(action="next stage", target=experiment, actor=by, before=phase.share, after=later[0], reason=reason)
        return begin_phase(experiment, later[0])


def hold(*, experiment: Experiment, held: bool, by: User | None = None) -> None:
    """Keep a rollout at its stage, or let it go on."""
    with transaction.atomic():
        experiment = _rolling(experiment)
        Experiment.objects.filter(pk=experiment.pk).update(held=held)
        record(action="hold" if held else "go on", target=experiment, actor=by)


def roll_back(*, experiment: Experiment, by: User | None = None, reason: str = "", seen: Phase | None = None) -> None:
    """End a rollout: A answers everything again. Raises Conflict where another stage than the one `seen` runs."""
    with transaction.atomic():
        experiment = _rolling(experiment, seen)
        close(experiment, Status.ROLLED_BACK)
        Experiment.objects.filter(pk=experiment.pk).update(trouble=reason[:300])
        record(action="roll back", target=experiment, actor=by, reason=reason)


def note_rolled_back(*, experiment: Experiment, by: User | None = None, reason: str = "") -> None:
    """After B was in production and is not any more."""
    with transaction.atomic():
        Experiment.objects.filter(pk=experiment.pk).update(status=Status.ROLLED_BACK, trouble=reason[:300])
        record(action="roll back", target=experiment, actor=by, reason=reason)


def _rolling(experiment: Experiment, seen: Phase | None = None) -> Experiment:
    found = active_one(experiment, seen)
    if found.status != Status.ROLLOUT:
        raise Conflict(f"{found} is not being rolled out.")
    return found
