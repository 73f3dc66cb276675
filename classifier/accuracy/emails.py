"""The emails behind a figure: filtered by what a row of it links to."""

from dataclasses import dataclass
from datetime import date, timedelta

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from classifier.labels import same_subtype
from classifier.models import Email, ReviewItem
from classifier.visibility import visible
from reviewdesk.people.models import User

PAGE = 50


class Filters(forms.Form):
    """What `/accuracy/emails/` may be asked for; all of it optional."""

    week = forms.DateField(required=False)
    day = forms.DateField(required=False)
    days = forms.IntegerField(required=False, min_value=1, max_value=366)
    department = forms.SlugField(required=False)
    version = forms.CharField(required=False)
    type = forms.CharField(required=False)
    said = forms.SlugField(required=False)
    answered = forms.SlugField(required=False)
    reviewer = forms.CharField(required=False)
    unreadable = forms.SlugField(required=False)
    low = forms.FloatField(required=False)
    high = forms.FloatField(required=False)
    sampled = forms.BooleanField(required=False)
    wrong = forms.BooleanField(required=False)
    before = forms.IntegerField(required=False)


LOOKUPS = {
    "department": "department__slug",
    "version": "prediction__model_version__version",
    "type": "prediction__type",
    "said": "prediction__subtype__slug",
    "answered": "verification__subtype__slug",
    "reviewer": "verification__reviewer__username",
    "unreadable": "unreadable",
    "low": "prediction__subtype_confidence__gte",
    "high": "prediction__subtype_confidence__lt",
    "day": "prediction__created_at__date",
    "before": "pk__lt",
}


@dataclass(frozen=True)
class Page:
    emails: list[Email]
    before: int | None  # of the next page
    filters: list[tuple[str, object]]


def emails_behind(*, user: User, filters: dict) -> Page:
    """The newest first, PAGE at a time; of the departments that `user` may see."""
    given = {name: value for name, value in filters.items() if value not in (None, "", False)}
    found: QuerySet[Email] = visible(Email.objects.all(), user)
    found = found.filter(**{LOOKUPS[name]: value for name, value in given.items() if name in LOOKUPS})
    if "days" in given:
        found = found.filter(created_at__gte=timezone.now() - timedelta(days=given["days"]))
    if "week" in given or "sampled" in given:
        found = found.filter(pk__in=_sampled(given.get("week")).values("email"))
    if "wrong" in given:
        found = found.filter(verification__isnull=False).exclude(
            same_subtype("prediction__subtype", "verification__subtype")
        )
    rows = list(
        found.select_related(
            "department", "prediction__subtype", "prediction__model_version", "verification__subtype", "verification__reviewer"
        ).order_by("-pk")[: PAGE + 1]
    )  # fmt: skip
    shown = [(name, value) for name, value in given.items() if name != "before"]
    return Page(rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None, shown)


def _sampled(week: date | None) -> QuerySet[ReviewItem]:
    items = ReviewItem.objects.filter(draw__isnull=False)
    return items.filter(draw__week=week) if week else items
