"""The audit trail, filtered, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from reviewdesk.audit.models import AuditEvent

PAGE = 100
CHUNK = 1_000


@dataclass(frozen=True)
class Filters:
    """What to show; empty means all. `object` is `thread 12` or `thread`."""

    person: str = ""
    action: str = ""
    object: str = ""
    since: date | None = None
    until: date | None = None


def events(filters: Filters, *, before: int | None = None) -> QuerySet[AuditEvent]:
    found = AuditEvent.objects.select_related("actor").order_by("-pk")
    if filters.person:
        found = found.filter(actor__username=filters.person)
    if filters.action:
        found = found.filter(action=filters.action)
    kind, _, key = filters.object.partition(" ")
    if kind:
        found = found.filter(object_type=kind)
    if key:
        found = found.filter(object_id=key)
    if filters.since:
        found = found.filter(at__date__gte=filters.since)
    if filters.until:
        found = found.filter(at__date__lte=filters.until)
    return found.filter(pk__lt=before) if before else found


def walk(filters: Filters) -> Iterator[AuditEvent]:
    """All of them, in keyset chunks."""
    last: int | None = None
    while chunk := list(events(filters, before=last)[:CHUNK]):
        yield from chunk
        last = chunk[-1].pk


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("action").values_list("action", flat=True).distinct())
