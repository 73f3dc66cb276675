"""Raises an alert when the latest samples are below the bar, mails the admins, and reminds reviewers of a sample."""

from collections.abc import Sequence
from datetime import timedelta

from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.accuracy.estimates import Alarm
from classifier.accuracy.queries import Week, by_department, current_alarm, week_of, weeks
from classifier.accuracy.sampling import OPEN_DAYS, close_draws, sample_plan
from classifier.models import AccuracyAlert, Department, ModelAlias, ModelVersion, SampleDraw
from classifier.registry.queries import PRODUCTION
from reviewdesk.people.models import ADMIN, REVIEWER, User

REMIND_DAYS = 5  # after the draw, and while something is left


def watch_accuracy() -> None:
    """What a worker does each hour: close finished samples, remind of the others, raise and end alerts."""
    close_draws()
    remind()
    update_alerts()


def open_alerts() -> list[AccuracyAlert]:
    return list(AccuracyAlert.objects.filter(closed_at=None).select_related("version", "department"))


def update_alerts() -> list[AccuracyAlert]:
    """Open an alert for what is below the bar and has none, end those that are over. Returns the new ones."""
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is None:
        return []
    found, bar = weeks(), sample_plan().bar
    raised: dict[int | None, tuple[Department | None, Alarm]] = {}
    if (in_all := current_alarm(found, version=alias.version_id, bar=bar)) is not None:
        raised[None] = None, in_all
    for row in by_department(_of_version(found, alias.version_id)):
        if row.alarm is not None:
            raised[row.department.pk] = row.department, row.alarm
    _end(raised.keys(), alias.version)
    known = set(AccuracyAlert.objects.filter(closed_at=None).values_list("department", flat=True))
    new = [_open(alias.version, *raised[pk], bar) for pk in raised if pk not in known]
    return [alert for alert in new if alert is not None]


def _of_version(found: Sequence[Week], version: int) -> list[Week]:
    """The closed weeks since that version serves alone."""
    own = []
    for week in found:
        if week.done:
            if {j.said.model_version_id for j in week.judged} != {version}:
                break
            own.append(week)
    return own


def _end(below, version: ModelVersion) -> None:
    for alert in AccuracyAlert.objects.filter(closed_at=None):
        if alert.department_id not in below or alert.version_id != version.pk:
            alert.closed_at = timezone.now()
            alert.save(update_fields=["closed_at"])


def _open(version: ModelVersion, department: Department | None, alarm: Alarm, bar: float) -> AccuracyAlert | None:
    p = alarm.proportion
    try:
        with transaction.atomic():
            alert = AccuracyAlert.objects.create(
                version=version, department=department, bar=bar, weeks=alarm.weeks,
                value=p.value or 0.0, low=p.low, high=p.high, n=p.n,
            )  # fmt: skip
    except IntegrityError:  # another process opened it at the same moment
        return None
    where = f" in {department.name}" if department else ""
    text = (
        f"Subtype accuracy{where} is {alert.value:.1%} (95% interval {p.low:.1%} to {p.high:.1%}, n = {p.n}, "
        f"{alarm.weeks} weekly samples pooled), below the bar of {bar:.0%}. Model: {version.version}.\n\n"
        "The page Accuracy shows which emails were wrong; Retraining, whether enough new labels are there.\n"
    )
    send_mail(f"Reviewdesk: accuracy{where} is below {bar:.0%}", text, None, _addresses(ADMIN), fail_silently=True)
    return alert


def remind() -> list[SampleDraw]:
    """Mail reviewers once about each sample that is some days old and not answered whole."""
    since = timezone.now() - timedelta(days=REMIND_DAYS)
    late = list(SampleDraw.objects.filter(closed_at=None, reminded_at=None, created_at__lt=since))
    for draw in late:
        week = week_of([draw])
        over = draw.created_at + timedelta(days=OPEN_DAYS)
        text = (
            f"{week.drawn - len(week.judged)} of the {week.drawn} emails of the weekly sample wait for an answer. "
            f"It closes on {over:%d %B}; the accuracy figure rests on it.\n"
        )
        send_mail("Reviewdesk: the weekly sample waits", text, None, _addresses(REVIEWER), fail_silently=True)
        draw.reminded_at = timezone.now()
        draw.save(update_fields=["reminded_at"])
    return late


def _addresses(role: str) -> list[str]:
    people = User.objects.filter(is_active=True, groups__name=role).exclude(email="")
    return list(people.values_list("email", flat=True).distinct())
