"""A department taken over by another: its mail, subtypes, mailboxes, documents and macros go along, in one transaction."""

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from abtests.lifecycle import rename_department
from classifier.models import Department, Email, Mailbox, ReviewQueue
from classifier.taxonomy_changes import move_subtypes
from responses.knowledge.services import change_document
from responses.models import Document, Macro
from reviewdesk.audit.services import record
from reviewdesk.department_delete import deletion_effect, request_deletion
from reviewdesk.errors import DeskError
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, User


@dataclass(frozen=True)
class Moves:
    """What a merge would move; `joined` are the subtypes that both departments have by the same slug."""

    emails: int
    mailboxes: int
    documents: int
    subtypes: int
    joined: list[str]


def _documents(department: Department):
    return Document.objects.filter(department=department).exclude(status=Document.Status.DELETED)


def moves(*, department: Department, into: Department) -> Moves:
    theirs = set(into.subtypes.values_list("slug", flat=True))
    own = list(department.subtypes.values_list("slug", flat=True))
    return Moves(
        Email.objects.filter(department=department).count(),
        Mailbox.objects.filter(department=department).count(),
        _documents(department).count(),
        len(own),
        sorted(theirs & set(own)),
    )


def merge_departments(*, department: Department, into: Department, by: User, reason: str) -> Moves:
    """Raises DeskError, and moves nothing, where both have a document of one name or a test that is active."""
    if not reason.strip():
        raise DeskError(
            "Give a reason for the merge; it is kept in the audit trail.", fields={"reason": ["is missing"]}
        )
    if department.pk == into.pk:
        raise DeskError("A department cannot be merged with itself.")
    if not Department.objects.filter(pk=into.pk, active=True).exists():
        raise DeskError(f"{into} is out of use; merge into a department that is in use.")
    with transaction.atomic():
        moved = moves(department=department, into=into)
        for document in _documents(department).select_related("department"):
            change_document(
                document=document, title=document.title, department=into, doc_type=document.doc_type,
                internal=document.internal, by=by,
            )  # fmt: skip
        move_subtypes(department=department, into=into)
        for model in (Email, Mailbox, Macro):
            model.objects.filter(department=department).update(department=into)
        into.people.add(*department.people.all())
        for queue in ReviewQueue.objects.filter(departments=department):
            queue.departments.add(into)
            queue.departments.remove(department)
        rename_department(old=department.slug, new=into.slug)
        Department.objects.filter(merged_into=department).update(merged_into=into)
        Department.objects.filter(pk=department.pk).update(active=False, merged_into=into)
        record(
            action="merge department", target=department, actor=by, into=into.slug, emails=moved.emails,
            documents=moved.documents, subtypes=moved.subtypes, joined=moved.joined, reason=reason.strip(),
        )  # fmt: skip
    return moved


class MergeTargetForm(forms.Form):
    into = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")


class MergeForm(MergeTargetForm):
    reason = forms.CharField(max_length=300)


@for_roles(ADMIN)
def department_moves(request: DeskRequest, pk: int) -> HttpResponse:
    """What merging a department would move, before it does."""
    department, into = get_object_or_404(Department, pk=pk), checked(MergeTargetForm(request.GET))["into"]
    context = {"department": department, "into": into, "moves": moves(department=department, into=into)}
    return render(request, "reviewdesk/_department_moves.html", context)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300)


@for_roles(ADMIN)
def department_delete(request: DeskRequest, pk: int) -> HttpResponse:
    """What deleting a department would delete; by POST a worker does, with a reason."""
    department = get_object_or_404(Department, pk=pk)
    if request.method != "POST":
        context = {"department": department, "effect": deletion_effect(department)}
        return render(request, "reviewdesk/delete_department.html", context)
    request_deletion(department=department, by=request.user, **checked(ReasonForm(request.POST)))
    messages.info(request, f"{department} is being deleted; that takes a moment.")
    return redirect("taxonomy")


@require_POST
@for_roles(ADMIN)
def department_merge(request: DeskRequest, pk: int) -> HttpResponse:
    department, fields = get_object_or_404(Department, pk=pk), checked(MergeForm(request.POST))
    into = fields["into"]
    moved = merge_departments(department=department, by=request.user, **fields)
    messages.info(request, f"{department} is part of {into} now, with {moved.emails} emails.")
    return redirect("taxonomy-department", into.pk)
