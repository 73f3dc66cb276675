"""The knowledge page: what replies are grounded in."""

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from responses.models import Document
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, AGENT


@for_roles(AGENT, ADMIN)
def knowledge(request: DeskRequest) -> HttpResponse:
    documents = (
        Document.objects.select_related("department")
        .annotate(n_passages=Count("passages"))
        .order_by("department__name", "title")
    )
    return render(request, "responses/knowledge.html", {"documents": documents[:1000]})


@for_roles(AGENT, ADMIN)
def document(request: DeskRequest, pk: int) -> HttpResponse:
    """A document as its passages."""
    found = get_object_or_404(Document.objects.select_related("department"), pk=pk)
    context = {"document": found, "passages": found.passages.order_by("position")}
    return render(request, "responses/document.html", context)
