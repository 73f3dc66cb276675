"""The import page, broken mail, HTML mail in its own document, attachments."""

from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from classifier.intake.forms import UploadForm
from classifier.intake.html import with_images
from classifier.intake.queries import inline_images
from classifier.models import Attachment, Email, ImportRun
from classifier.visibility import departments_of, visible, visible_departments
from reviewdesk.backends import enqueue
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, AGENT, REVIEWER

MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
SHOWN = 20


@for_roles(AGENT, ADMIN)
def imports(request: DeskRequest) -> HttpResponse:
    return render(request, "classifier/imports.html", _imports(request, UploadForm(user=request.user)))


@require_POST
@for_roles(AGENT, ADMIN)
def upload(request: DeskRequest) -> HttpResponse:
    """Keep the file and let the worker import it."""
    form = UploadForm(request.POST, request.FILES, user=request.user)
    if not form.is_valid():
        return render(request, "classifier/imports.html", _imports(request, form), status=400)
    fields = form.cleaned_data
    run = ImportRun.objects.create(
        user=request.user,
        department=fields["department"],
        create_labels=fields["create_labels"],
        file=fields["file"],
        filename=fields["file"].name,
    )
    enqueue("classifier.import_upload", run.pk)
    return redirect("imports")


def _imports(request: DeskRequest, form: UploadForm) -> dict:
    return {
        "form": form,
        "runs": _runs(request).order_by("-pk")[:SHOWN],
        "departments": visible_departments(request.user),
        "broken": _broken(request).count(),
    }


def _runs(request: DeskRequest) -> QuerySet[ImportRun]:
    """Who sees some departments alone sees their own imports: rows of a file may name any department."""
    runs = ImportRun.objects.select_related("user", "department")
    return runs if departments_of(request.user) is None else runs.filter(user=request.user)


def _broken(request: DeskRequest) -> QuerySet[Email]:
    return visible(Email.objects.filter(unreadable=Email.Unreadable.BROKEN), request.user)


@for_roles(AGENT, ADMIN)
def import_panel(request: DeskRequest, pk: int) -> HttpResponse:
    """One import with its progress; asks again by itself while it runs."""
    run = get_object_or_404(_runs(request), pk=pk)
    return render(request, "classifier/_import_panel.html", {"run": run})


@for_roles(AGENT, ADMIN)
def broken(request: DeskRequest) -> HttpResponse:
    """Emails that could not be parsed: stored, with the error."""
    emails = _broken(request).select_related("mailbox").order_by("-pk")
    return render(request, "classifier/broken.html", {"emails": emails[:200]})


@xframe_options_sameorigin
@for_roles(AGENT, REVIEWER, ADMIN)
def email_html(request: DeskRequest, pk: int) -> HttpResponse:
    """The HTML of an email, cleaned, under a policy that runs and loads nothing."""
    email = get_object_or_404(visible(Email.objects.only("clean_html"), request.user), pk=pk)
    response = HttpResponse(
        f"<!doctype html><meta charset=utf-8>{with_images(email.clean_html, inline_images(email=email))}"
    )
    response["Content-Security-Policy"] = MAIL_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    return response


@for_roles(AGENT, REVIEWER, ADMIN)
def attachment(request: DeskRequest, pk: int) -> FileResponse:
    """A file as a download; never shown by the browser itself."""
    found = get_object_or_404(visible(Attachment.objects.all(), request.user, "email__department"), pk=pk)
    response = FileResponse(
        found.file.open("rb"), as_attachment=True, filename=found.filename, content_type="application/octet-stream"
    )
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
