"""The retraining page: the labels gathered so far, and their download."""

from django.db.models import Count
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from classifier.models import Email, Source
from classifier.retraining.export import snapshot_id, stream
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN

CONTENT_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


@for_roles(ADMIN)
def retraining(request: DeskRequest) -> HttpResponse:
    labelled = Email.objects.filter(verification__isnull=False)
    counts = dict(labelled.values_list("verification__source").annotate(n=Count("pk")).order_by())
    sources = [(label, counts.get(value, 0)) for value, label in Source.choices]
    context = {"sources": sources, "total": sum(counts.values()), "snapshot": snapshot_id()}
    return render(request, "classifier/retraining.html", context)


@for_roles(ADMIN)
def download_labels(request: DeskRequest, format: str) -> StreamingHttpResponse:
    """Stream all labels; memory stays flat however many there are."""
    lines = stream(format)
    response = StreamingHttpResponse(lines, content_type=CONTENT_TYPES[format])
    response["Content-Disposition"] = f'attachment; filename="labels-{snapshot_id()}.{format}"'
    return response
