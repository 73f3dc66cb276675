"""Macros: applied to a thread by agents, kept on a page by admins."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier.models import Department, Email
from classifier.visibility import departments_of
from responses.inbox import macros as services
from responses.inbox.access import emails_for, threads_for
from responses.inbox.threads import agents
from responses.inbox.views import again
from responses.models import Document, Macro
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, AGENT, User


def _canned():
    return Document.objects.filter(doc_type=Document.Type.CANNED, status=Document.Status.READY)


class MacroForm(forms.Form):
    name = forms.CharField(max_length=80)
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug", required=False)
    reply = forms.ModelChoiceField(Document.objects.none(), required=False)
    tags = forms.CharField(max_length=300, required=False)
    to_me = forms.BooleanField(required=False)
    assignee = forms.ModelChoiceField(User.objects.filter(is_active=True), to_field_name="username", required=False)
    closes = forms.BooleanField(required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["reply"].queryset = _canned()  # type: ignore[attr-defined]


class ApplyForm(forms.Form):
    """A macro that fits the email."""

    macro = forms.ModelChoiceField(Macro.objects.none())

    def __init__(self, data: Any, *, email: Email):
        super().__init__(data)
        self.fields["macro"].queryset = services.macros_for(email)  # type: ignore[attr-defined]


@require_POST
@for_roles(AGENT)
def macro_apply(request: DeskRequest, pk: int) -> HttpResponse:
    # A macro closes, tags and assigns the whole thread, so the thread must be the person's to open.
    visible_emails = emails_for(request.user).filter(thread__in=threads_for(request.user))
    email = get_object_or_404(visible_emails.select_related("thread__latest_email"), pk=pk)
    macro = checked(ApplyForm(request.POST, email=email))["macro"]
    services.apply_macro(macro=macro, email=email, user=request.user)
    messages.info(request, f"{macro}: {macro.steps}.")
    return again(request, email.thread_id)


@for_roles(AGENT, ADMIN)
def macros(request: DeskRequest) -> HttpResponse:
    """All macros; admins add, change and delete them here."""
    departments = departments_of(request.user)
    found = Macro.objects.select_related("department", "reply", "assignee")
    if departments is not None:
        found = found.filter(Q(department=None) | Q(department__in=departments))
    context = {
        "macros": found,
        "departments": Department.objects.filter(active=True),
        "replies": _canned().select_related("department").order_by("department__name", "title")[:500],
        "agents": agents(),
    }
    return render(request, "responses/macros.html", context)


@require_POST
@for_roles(ADMIN)
def macro_add(request: DeskRequest) -> HttpResponse:
    services.save_macro(by=request.user, **checked(MacroForm(request.POST)))
    messages.info(request, "Macro added.")
    return redirect("macros")


@require_POST
@for_roles(ADMIN)
def macro_change(request: DeskRequest, pk: int) -> HttpResponse:
    services.save_macro(macro=get_object_or_404(Macro, pk=pk), by=request.user, **checked(MacroForm(request.POST)))
    messages.info(request, "Saved.")
    return redirect("macros")


@require_POST
@for_roles(ADMIN)
def macro_delete(request: DeskRequest, pk: int) -> HttpResponse:
    services.delete_macro(macro=get_object_or_404(Macro, pk=pk), by=request.user)
    messages.info(request, "Deleted.")
    return redirect("macros")
