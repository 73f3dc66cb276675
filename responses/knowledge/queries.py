"""What the knowledge pages show: documents, and what the knowledge lacks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from classifier.visibility import visible
from responses.models import Document, Draft
from reviewdesk.people.models import User

SHOWN = 200
WEEK = timedelta(days=7)
EXAMPLES = 5


def documents(filters: dict[str, Any], user: User) -> QuerySet[Document]:
    """Documents that `user` may see and that pass the filters, those that somebody has to look at first."""
    found = visible(Document.objects.all(), user).exclude(status=Document.Status.DELETED).select_related("department")
    status = filters.get("status")
    found = found.filter(status=status) if status else found.exclude(status=Document.Status.RETIRED)
    for name in ("department", "doc_type"):
        if filters.get(name):
            found = found.filter(**{name: filters[name]})
    if filters.get("q"):
        found = found.filter(Q(title__icontains=filters["q"]) | Q(text__icontains=filters["q"]))
    return found.defer("text").annotate(n_passages=Count("passages")).order_by("department__name", "title", "pk")


@dataclass(frozen=True)
class Gap:
    """A department whose emails found no passage in the last week, with the newest of them."""

    department: str
    emails: int
    drafted: int
    examples: list[Draft]


def gaps(user: User) -> list[Gap]:
    """Departments that `user` may see by how many emails of the last week found no passage above the bar."""
    recent = (
        visible(Draft.objects.all(), user, "email__department")
        .filter(created_at__gte=timezone.now() - WEEK)
        .exclude(backend="person")
    )
    none = Q(status=Draft.Status.NO_SOURCE) | Q(generated_body="")
    counted = recent.values("email__department", "email__department__name").annotate(
        lacking=Count("email", filter=none, distinct=True), n=Count("email", distinct=True)
    )
    return [
        Gap(
            row["email__department__name"],
            row["lacking"],
            row["n"],
            _newest(recent.filter(none), row["email__department"]),
        )
        for row in counted.filter(lacking__gt=0).order_by("-lacking")
    ]


def _newest(drafts: QuerySet[Draft], department: int) -> list[Draft]:
    return list(drafts.filter(email__department=department).select_related("email").order_by("-pk")[:EXAMPLES])
