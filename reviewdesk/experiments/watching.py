"""What a worker does with tests every few minutes: starts, ends, advances and rolls back what is due."""

import logging
from datetime import datetime, timedelta

from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast
from django.utils import timezone

from abtests import lifecycle
from abtests.health import broken
from abtests.models import Experiment, Outcome, Phase
from abtests.queries import ACTIVE
from abtests.reports import Report, report
from abtests.services import note_trouble
from classifier.models import ReviewItem, Source
from classifier.review.opening import give_back
from reviewdesk.errors import DeskError
from reviewdesk.experiments import rollout
from reviewdesk.experiments.services import end, start, usurped
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
trouble = Trouble(logger)
Mode, Status = Experiment.Mode, Experiment.Status


def watch() -> None:
    """What a worker does every few minutes: start, end, advance and roll back what is due."""
    now = timezone.now()
    for experiment in Experiment.objects.filter(status=Status.DRAFT, starts_at__lte=now):
        _start_due(experiment)
    for experiment in Experiment.objects.filter(status__in=ACTIVE):
        try:
            _look_at(experiment, report(experiment))
            trouble.over(key=experiment.slug)
        except DeskError as error:  # somebody changed it at the same moment, or a file is missing: the others go on
            trouble.report(f"experiment {experiment.slug} was left as it is: {error.message}", key=experiment.slug)
    release_samples()


def release_samples() -> None:
    """Nobody needs to answer what a phase asked for that has ended, or a sample that has as many labels as planned."""
    asking = Phase.objects.filter(ended_at=None, experiment__status=Status.RUNNING).filter(
        Q(share=0) | Q(complete=False)
    )
    subject = Cast(OuterRef("email_id"), CharField(max_length=40))
    asked = Outcome.objects.filter(phase__in=asking, subject=subject)
    give_back(ReviewItem.objects.exclude(Exists(asked)), taker=Source.EXPERIMENT)


def _start_due(experiment: Experiment) -> None:
    try:
        start(experiment=experiment)
    except DeskError as error:
        waiting = Experiment.objects.filter(pk=experiment.pk, status=Status.DRAFT)  # else somebody started it meanwhile
        waiting.update(starts_at=None, trouble=f"It did not start: {error.message}"[:300])


def _look_at(experiment: Experiment, found: Report) -> None:
    """A check of the split that fails is shown and shuts the gate; it may be chance, so it ends nothing by itself."""
    phase, worse = found.phase, broken(found.checks)
    assert phase is not None
    trouble = phase.trouble or usurped(experiment) or (f"Guardrail broken: {worse[0].said}." if worse else "")
    if trouble:
        note_trouble(phase=phase.pk, reason=trouble)
    if experiment.status == Status.ROLLOUT:
        if trouble:
            rollout.roll_back(experiment=experiment, reason=trouble, seen=phase)
        elif not experiment.held and rollout.gate(found).open:
            rollout.advance(experiment=experiment, after=phase)
        return
    if found.asked and not phase.complete:
        lifecycle.complete(phase=phase)
    if worse and experiment.mode == Mode.SPLIT:
        end(experiment=experiment, reason=f"Guardrail broken: {worse[0].said}.", seen=phase)
    elif timezone.now() > ends_at(experiment, phase):
        end(experiment=experiment, reason="its time is over", seen=phase)


def ends_at(experiment: Experiment, phase: Phase) -> datetime:
    """When a running test ends by itself: each split gets the weeks that were set."""
    return phase.started_at + timedelta(weeks=experiment.weeks)
