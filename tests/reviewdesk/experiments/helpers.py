"""A form that makes a test, and what the tests of it look at."""

from datetime import timedelta

from django.utils import timezone

from abtests.models import Phase
from classifier.models import ModelAlias

FORM = {
    "name": "Second",
    "mode": "split",
    "control": "starter",
    "treatment": "second",
    "gain": "2",
    "share": "50",
    "weeks": "4",
}
WHY = {"reason": "we trust it"}


def production() -> str:
    return ModelAlias.objects.get(name="production").version.version


def long_ago(phase: Phase) -> None:
    Phase.objects.filter(pk=phase.pk).update(started_at=timezone.now() - timedelta(days=2))
