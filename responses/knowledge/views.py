"""The knowledge pages: what replies are grounded in, what it lacks, and what a search would find."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.visibility import visible, visible_departments
from responses.drafting.base import PASSAGE_BAR
from responses.knowledge import queries, services
from responses.knowledge.forms import ACCEPTED, DetailsForm, DocumentForm, ListForm, ReplaceForm, SearchForm
from responses.models import Document
from responses.retrieval.base import Query, retriever
from responses.retrieval.changes import state
from responses.retrieval.search import find
from reviewdesk.errors import DeskError
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, AGENT, User

FOUND = 20
MOVES = {"retire": services.retire, "restore": services.restore, "delete": services.delete}


@for_roles(AGENT, ADMIN)
def knowledge(request: DeskRequest) -> HttpResponse:
    return render(request, "responses/knowledge.html", _knowledge(request, DocumentForm()))


def _knowledge(request: DeskRequest, form: DocumentForm) -> dict:
    filters = ListForm(request.GET, user=request.user)
    filters.is_valid()
    found = queries.documents(filters.cleaned_data, request.user)
    return {
        "form": form,
        "filters": filters,
        "documents": found[: queries.SHOWN],
        "count": found.count(),
        "departments": visible_departments(request.user),
        "gaps": queries.gaps(request.user),
        "accepted": ",".join(ACCEPTED),
        "embedder": state().embedder,
    }


@require_POST
@for_roles(ADMIN)
def document_add(request: DeskRequest) -> HttpResponse:
    """Take over files or a text; workers make the passages."""
    form = DocumentForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            added = [services.add_document(**fields, by=request.user) for fields in form.documents()]
        except DeskError as error:
            form.add_error(None, error.message)
        else:
            messages.info(request, f"{len(added)} document{'' if len(added) == 1 else 's'} taken over.")
            return redirect("knowledge-document", added[0].pk) if len(added) == 1 else redirect("knowledge")
    return render(request, "responses/knowledge.html", _knowledge(request, form), status=400)


@for_roles(AGENT, ADMIN)
def document_row(request: DeskRequest, pk: int) -> HttpResponse:
    """A row of the list; asks again by itself while its document is being indexed."""
    return render(request, "responses/_document_row.html", {"document": _document(pk, request.user)})


def _document(pk: int, user: User) -> Document:
    found = (
        visible(Document.objects.all(), user)
        .exclude(status=Document.Status.DELETED)
        .select_related("department", "created_by")
    )
    return get_object_or_404(found.annotate(n_passages=Count("passages")), pk=pk)


@for_roles(AGENT, ADMIN)
def document(request: DeskRequest, pk: int) -> HttpResponse:
    """A document as its passages, with what an admin can do to it."""
    found = _document(pk, request.user)
    context = {
        "document": found,
        "passages": found.passages.order_by("position")[: queries.SHOWN],
        "departments": visible_departments(request.user),
        "types": Document.Type.choices,
        "accepted": ",".join(ACCEPTED[:-1]),
    }
    fragment = request.htmx and not request.htmx.history_restore_request
    return render(request, "responses/_document.html" if fragment else "responses/document.html", context)


@require_POST
@for_roles(ADMIN)
def document_details(request: DeskRequest, pk: int) -> HttpResponse:
    """Give a document another title, department or kind; its passages are made anew."""
    services.change_document(
        document=_document(pk, request.user), by=request.user, **checked(DetailsForm(request.POST))
    )
    messages.info(request, "Saved; its passages are made anew.")
    return redirect("knowledge-document", pk)


@require_POST
@for_roles(ADMIN)
def document_replace(request: DeskRequest, pk: int) -> HttpResponse:
    """Put another file or text in its place; the old passages stay until the new ones are there."""
    fields = checked(ReplaceForm(request.POST, request.FILES))
    file = (fields["file"].name, fields["file"].read()) if fields["file"] else None
    services.replace_document(
        document=_document(pk, request.user), text=fields["text"].strip(), file=file, by=request.user
    )
    messages.info(request, "Replaced; the old passages stay until the new ones are there.")
    return redirect("knowledge-document", pk)


@require_POST
@for_roles(ADMIN)
def document_move(request: DeskRequest, pk: int, move: str) -> HttpResponse:
    MOVES[move](document=_document(pk, request.user), by=request.user)
    messages.info(request, {"retire": "Retired.", "restore": "In use again.", "delete": "Deleted."}[move])
    return redirect("knowledge") if move == "delete" else redirect("knowledge-document", pk)


@for_roles(AGENT, ADMIN)
def search(request: DeskRequest) -> HttpResponse:
    """What a question would find, and by which list."""
    form = SearchForm(request.GET if "q" in request.GET else None, user=request.user)
    context = {"form": form, "departments": visible_departments(request.user), "bar": PASSAGE_BAR}
    if form.is_valid():
        fields = form.cleaned_data
        context["hits"] = find(Query([fields["q"]], fields["department"].pk), k=FOUND)
        context["backend"] = retriever.get().name
    template = "responses/_search_results.html" if request.htmx else "responses/search.html"
    return render(request, template, context)
