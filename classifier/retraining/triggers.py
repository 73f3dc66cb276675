"""Whether a new training is called for: read once a day, kept, shown."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from classifier.accuracy.emails import midnight, predicted
from classifier.judging import LOW_CONFIDENCE
from classifier.models import AccuracyAlert, ModelAlias, Subtype, TriggerReading
from classifier.registry.newcomers import revision
from classifier.registry.queries import PRODUCTION, folder_of
from ml.drift import BASELINE, LEAST, WINDOW, drift
from ml.intervals import wilson_interval
from reviewdesk.errors import BackendError

Trigger = TriggerReading.Trigger
LOW_SHARE = 0.15
SHOWN = 30


@dataclass(frozen=True)
class Reading:
    value: float | None
    fired: bool
    detail: str


def check_triggers(*, today: date | None = None) -> list[TriggerReading]:
    """Read every trigger; a reading of the same day is replaced."""
    today = today or timezone.localdate()
    found = {
        Trigger.ACCURACY: _accuracy(),
        Trigger.DRIFT: _drift(today),
        Trigger.LOW_CONFIDENCE: _low_confidence(today),
        Trigger.TAXONOMY: _taxonomy(),
    }
    return [
        TriggerReading.objects.update_or_create(
            trigger=trigger,
            day=today,
            defaults={"value": r.value, "fired": r.fired, "detail": r.detail[:300], "created_at": timezone.now()},
        )[0]
        for trigger, r in found.items()
    ]


def latest() -> list[TriggerReading]:
    """The newest reading of each trigger that has one."""
    found = {t: TriggerReading.objects.filter(trigger=t).order_by("-day", "-pk").first() for t in Trigger}
    return [reading for reading in found.values() if reading is not None]


def history(*, days: int = SHOWN) -> QuerySet[TriggerReading]:
    return TriggerReading.objects.filter(day__gt=timezone.localdate() - timedelta(days=days))


def _accuracy() -> Reading:
    alert = AccuracyAlert.objects.filter(closed_at=None, department=None).select_related("version").first()
    if alert is None:
        return Reading(None, False, "No alert is open.")
    return Reading(
        alert.value,
        True,
        f"{alert.value:.1%} ({alert.low:.1%} to {alert.high:.1%}, n = {alert.n}), bar {alert.bar:.0%}.",
    )


def _recent(since: date, until: date) -> QuerySet:
    """Predictions in force of mail that people wrote, by local day."""
    return predicted(midnight(since), midnight(until), user=None).annotate(day=TruncDate("created_at"))


def _drift(today: date) -> Reading:
    """Whole days up to yesterday; days on which nothing came are days too."""
    first = today - timedelta(days=WINDOW + BASELINE)
    rows = _recent(first, today).values_list("day", "department__slug", "subtype__slug").annotate(n=Count("pk"))
    days = [Counter() for _ in range(WINDOW + BASELINE)]  # type: ignore[var-annotated]
    for day, department, subtype, n in rows.order_by():
        days[(day - first).days][f"{department}/{subtype}"] += n
    while days and not days[0]:  # a young desk: from its first mail on
        days.pop(0)
    found = drift(days, seed=today.toordinal())
    if found is None:
        return Reading(None, False, f"Fewer than {WINDOW + 1} days of mail.")
    if found.n < LEAST:
        return Reading(found.kl, False, f"{found.n} emails in {WINDOW} days; below {LEAST} it says nothing.")
    said = f"KL {found.kl:.2f} (p = {found.p:.3f}, n = {found.n:,}) against the {found.days - WINDOW} days before"
    notice = " More than shuffled days give." if found.notable and not found.landslide else ""
    return Reading(found.kl, found.landslide, f"{said}.{notice}")


def _low_confidence(today: date) -> Reading:
    counts = _recent(today - timedelta(days=WINDOW), today).aggregate(
        n=Count("pk"), low=Count("pk", filter=Q(subtype_confidence__lt=LOW_CONFIDENCE))
    )
    if not counts["n"]:
        return Reading(None, False, f"No mail in {WINDOW} days.")
    share = counts["low"] / counts["n"]
    low, high = wilson_interval(counts["low"], counts["n"])
    said = f"{share:.1%} ({low:.1%} to {high:.1%}, n = {counts['n']:,}) under {LOW_CONFIDENCE}, bar {LOW_SHARE:.0%}."
    return Reading(share, low > LOW_SHARE, said)


def _taxonomy() -> Reading:
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is None:
        return Reading(None, False, "No model is in production.")
    try:
        unknown = revision(folder_of(alias.version)).unknown
    except BackendError as error:
        return Reading(None, False, error.message)
    names = Subtype.objects.filter(pk__in=unknown).values_list("department__name", "name")
    shown = ", ".join(f"{d}: {s}" for d, s in names[:5]) + (" …" if len(unknown) > 5 else "")
    said = f"{alias.version} knows by examples alone: {shown}." if unknown else f"{alias.version} learnt every subtype."
    return Reading(float(len(unknown)), bool(unknown), said)
