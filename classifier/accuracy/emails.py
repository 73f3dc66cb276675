"""The emails behind a figure: filtered by what a row of it links to."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import F, QuerySet
from django.utils import timezone

from classifier.labels import confirmed, same_subtype
from classifier.models import Email, Prediction, ReviewItem, Source, Verification
from classifier.visibility import visible
from reviewdesk.forms import MAX_KEY
from reviewdesk.people.models import User

PAGE = 50
NONE = "(none)"  # neither a slug nor a username


class DayField(forms.DateField):
    """A day within a century, so that the day after it exists too."""

    default_validators = [
        MinValueValidator(date(2000, 1, 1)),
        MaxValueValidator(date(2100, 1, 1)),
    ]


class Filters(forms.Form):
    """What `/accuracy/emails/` may be asked for; all of it optional. `NONE` asks for what has none."""

    week = DayField(required=False, label="in the sample of the week of")
    sampled = DayField(required=False, label="in the samples since the week of")
    day = DayField(required=False, label="classified on")
    classified = forms.IntegerField(required=False, min_value=1, max_value=366, label="classified in the last days")
    received = forms.IntegerField(required=False, min_value=1, max_value=366, label="received in the last days")
    answers = forms.IntegerField(required=False, min_value=1, max_value=366, label="answered in the last days")
    said = forms.CharField(required=False, label="the model said")
    label = forms.CharField(required=False, label="people answered")
    reviewer = forms.CharField(required=False, label="answered by")
    department = forms.SlugField(required=False, label="department")
    version = forms.CharField(required=False, label="model")
    type = forms.CharField(required=False, label="type")
    unreadable = forms.SlugField(required=False, label="unreadable")
    low = forms.FloatField(required=False, label="confidence from")
    high = forms.FloatField(required=False, label="confidence under")
    answered = forms.BooleanField(required=False, label="answered by a reviewer")
    wrong = forms.BooleanField(required=False, label="answered otherwise")
    before = forms.IntegerField(required=False, min_value=0, max_value=MAX_KEY)


LOOKUPS = {
    "department": "department__slug",
    "version": "prediction__model_version__version",
    "type": "prediction__type",
    "unreadable": "unreadable",
    "low": "prediction__subtype_confidence__gte",
    "high": "prediction__subtype_confidence__lt",
    "before": "pk__lt",
}
OF_ANSWERS = {"said": "prediction__subtype", "label": "subtype", "reviewer": "reviewer"}
KEYS = {"said": "slug", "label": "slug", "reviewer": "username"}


@dataclass(frozen=True)
class Page:
    emails: list[Email]
    before: int | None  # of the next page
    filters: list[tuple[str, object]]


def midnight(day: date) -> datetime:
    """When a local day begins; a filter by it uses the index, one by the date of a column does not."""
    return timezone.make_aware(datetime.combine(day, time()))


def first_day(days: int) -> datetime:
    """When the first of the last `days` days began, today among them."""
    return midnight(timezone.localdate() - timedelta(days=days - 1))


def predicted(since: datetime, until: datetime | None = None, *, user: User | None) -> QuerySet[Prediction]:
    """Current predictions that were made then, of mail that `user` may see (None: all), that people wrote and that brought no
    label with it."""
    made = Prediction.objects.filter(email__prediction=F("pk"), email__automatic="", created_at__gte=since)
    made = made if until is None else made.filter(created_at__lt=until)
    made = made if user is None else visible(made, user, "email__department")
    return made.exclude(email__verification__source=Source.GOLD)


def answers_since(since: datetime, *, user: User) -> QuerySet[Verification]:
    """People's current answers that were given since then, about mail that `user` may see."""
    answers = confirmed(Verification.objects.filter(created_at__gte=since)).exclude(source=Source.GOLD)
    return visible(answers, user, "email__department")


def emails_behind(*, user: User, filters: dict) -> Page:
    """The newest first, PAGE at a time; of the departments that `user` may see."""
    given = {name: value for name, value in filters.items() if value not in (None, "", False)}
    found: QuerySet[Email] = visible(Email.objects.all(), user)
    found = found.filter(**{LOOKUPS[name]: value for name, value in given.items() if name in LOOKUPS})
    if "received" in given:
        found = found.filter(created_at__gte=first_day(given["received"]))
    if "classified" in given:
        found = found.filter(prediction__in=predicted(first_day(given["classified"]), user=user))
    if "day" in given:
        day = given["day"]
        found = found.filter(prediction__in=predicted(midnight(day), midnight(day + timedelta(days=1)), user=user))
    if given.keys() & {"answers", *OF_ANSWERS}:
        found = found.filter(pk__in=_answers(given, user).values("email"))
    if "week" in given or "sampled" in given:
        found = found.filter(pk__in=_sampled(given.get("week"), given.get("sampled")).values("email"))
    if "answered" in given:
        found = found.exclude(verification=None).exclude(verification__source__in=[Source.AGENT, Source.GOLD])
    if "wrong" in given:
        found = found.filter(verification__isnull=False).exclude(
            same_subtype("prediction__subtype", "verification__subtype")
        )
    rows = list(
        found.select_related(
            "department", "prediction__subtype", "prediction__model_version", "verification__subtype", "verification__reviewer"
        ).order_by("-pk")[: PAGE + 1]
    )  # fmt: skip
    shown = [
        (str(Filters.base_fields[name].label), "" if value is True else value)
        for name, value in given.items()
        if name != "before"
    ]
    return Page(rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None, shown)


def _answers(given: dict, user: User) -> QuerySet[Verification]:
    found = (
        answers_since(first_day(given["answers"]), user=user)
        if "answers" in given
        else confirmed(Verification.objects.all())
    )
    for name in given.keys() & OF_ANSWERS.keys():
        path, value = OF_ANSWERS[name], given[name]
        found = found.filter(**({f"{path}__isnull": True} if value == NONE else {f"{path}__{KEYS[name]}": value}))
    return found


def _sampled(week: date | None, since: date | None) -> QuerySet[ReviewItem]:
    items = ReviewItem.objects.filter(draw__isnull=False)
    items = items.filter(draw__week=week) if week else items
    return items.filter(draw__week__gte=since) if since else items
