"""Raises an alert when the latest samples are below the bar, mails the admins, and reminds reviewers of a sample."""

from collections.abc import Iterable
from datetime import timedelta

from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.accuracy.estimates import Alarm, alarm, department_alarm
from classifier.accuracy.queries import evaluated, week_of, weeks
from classifier.accuracy.sampling import OPEN_DAYS, close_draws, sample_plan
from classifier.models import AccuracyAlert, Department, ModelAlias, ModelVersion, SampleDraw
from classifier.registry.queries import PRODUCTION
from reviewdesk.backends import Remembered
from reviewdesk.people.models import ADMIN, REVIEWER, User

REMIND_DAYS = 5  # after the draw, and while something is left


def watch_accuracy() -> None:
    """What a worker does each hour: close finished samples, remind of the others, raise and end alerts."""
    close_draws()
    remind()
    update_alerts()


def open_alerts() -> list[AccuracyAlert]:
    return list(AccuracyAlert.objects.filter(closed_at=None).select_related("version", "department"))


current_alerts = Remembered(open_alerts, seconds=10.0)  # the banner of every page asks


def update_alerts() -> list[AccuracyAlert]:
    """Open an alert for what is below the bar and has none, end those that are over. Returns the new ones."""
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is None:
        return []
    version, bar = alias.version_id, sample_plan().bar
    own = evaluated(weeks(closed=True), version)
    raised: dict[int | None, tuple[Department | None, Alarm]] = {}
    if (in_all := alarm([week.strata(version=version) for week in own], bar=bar)) is not None:
        raised[None] = None, in_all
    departments = Department.objects.filter(active=True)
    for department in departments:
        strata = [week.strata(department=department.pk, version=version) for week in own]
        if (found := department_alarm(strata, bar=bar, departments=len(departments))) is not None:
            raised[department.pk] = department, found
    _end(AccuracyAlert.objects.filter(closed_at=None).exclude(version=version))
    if own:  # nothing new is no all-clear
        _end(alert for alert in open_alerts() if alert.department_id not in raised)
    known = set(AccuracyAlert.objects.filter(closed_at=None).values_list("department", flat=True))
    new = [_open(alias.version, *raised[pk], bar) for pk in raised if pk not in known]
    return [alert for alert in new if alert is not None]


def _end(alerts: Iterable[AccuracyAlert]) -> None:
    over = AccuracyAlert.objects.filter(closed_at=None, pk__in=[alert.pk for alert in alerts])
    over.update(closed_at=timezone.now())


def _open(version: ModelVersion, department: Department | None, raised: Alarm, bar: float) -> AccuracyAlert | None:
    p = raised.proportion
    try:
        with transaction.atomic():
            alert = AccuracyAlert.objects.create(
                version=version, department=department, bar=bar, weeks=raised.weeks,
                value=p.value or 0.0, low=p.low, high=p.high, n=p.n,
            )  # fmt: skip
    except IntegrityError:  # another process opened it at the same moment
        return None
    where = f" in {department.name}" if department else ""
    text = (
        f"Subtype accuracy{where} is {alert.value:.1%} (95% interval {p.low:.1%} to {p.high:.1%}, n = {p.n}, "
        f"{raised.weeks} weekly samples pooled), below the bar of {bar:.0%}. Model: {version.version}.\n\n"
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
