"""The inbox: list, thread, and what an agent does with a thread and its label."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from classifier.models import Department, Email, Subtype, Thread
from classifier.review import opening
from classifier.review.services import correct, move_email
from responses.drafting.injection import injections
from responses.inbox import services, threads
from responses.inbox.access import emails_for, threads_for, whole_threads_for
from responses.inbox.forms import BulkForm, DepartmentForm, FilterForm, LabelForm, ReasonForm, StatusForm
from responses.inbox.macros import macros_for
from responses.inbox.presenting import present_thread, reply_context
from responses.inbox.queries import earlier_threads, forwards, page_of, row_of
from responses.models import OutgoingMessage
from reviewdesk.audit.services import record
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import AGENT, User


@for_roles(AGENT)
def inbox(request: DeskRequest) -> HttpResponse:
    return render(request, "responses/inbox.html", _list(request))


@for_roles(AGENT)
def thread_list(request: DeskRequest) -> HttpResponse:
    """A page of the list."""
    return render(request, "responses/_thread_rows.html", _list(request))


def _list(request: DeskRequest) -> dict:
    filters = FilterForm(request.GET, user=request.user)
    return {"filters": filters, "page": page_of(filters, after=request.GET.get("after", ""), user=request.user)}


@for_roles(AGENT)
def thread(request: DeskRequest, pk: int) -> HttpResponse:
    """A thread with its reply; the list beside it when it is opened by its address."""
    context = _thread(request.user, pk)
    if request.htmx and not request.htmx.history_restore_request:
        return fragment(request, "responses/_thread.html", context, thread_id=pk)
    return render(request, "responses/inbox.html", context | _list(request))


def _thread(user: User, pk: int) -> dict:
    found = get_object_or_404(threads_for(user).select_related("customer", "latest_email", "assignee"), pk=pk)
    email = Email.objects.select_related(
        "department", "customer", "thread", "subtype", "prediction__model_version", "verification__reviewer", "mailbox"
    ).get(pk=found.latest_email_id)
    turns, beside = present_thread(found, user), earlier_threads(found, user)
    whole = set(whole_threads_for(user).filter(pk__in=[found.pk, *(t.pk for t in beside)]).values_list("pk", flat=True))
    return {
        "thread": found,
        "email": email,
        "turns": turns,
        "injections": injections(f"{email.subject}\n{email.body}"),
        "earlier_threads": beside,
        "is_whole": found.pk in whole,
        "mergeable": [t for t in beside if t.mailbox_id == found.mailbox_id and {t.pk, found.pk} <= whole],
        "forwards": forwards(found, user),
        "macros": macros_for(email),
        "several": sum(turn.email is not None for turn in turns) > 1,
        "agents": threads.agents(email.department),
        "snoozes": {key: label for key, (label, _) in threads.SNOOZES.items()},
        "now": timezone.now(),
        **reply_context(email, user),
        "subtypes": Subtype.objects.filter(department=email.department, active=True).order_by("type", "name"),
        "departments": Department.objects.filter(active=True),
    }


def again(request: DeskRequest, thread_id: int, *, just_approved: OutgoingMessage | None = None) -> HttpResponse:
    """The thread as it is after a change; the inbox where the change has taken it out of the person's sight."""
    if not threads_for(request.user).filter(pk=thread_id).exists():
        return HttpResponseClientRedirect(reverse("inbox")) if request.htmx else redirect("inbox")
    if not request.htmx:
        return redirect("inbox-thread", thread_id)
    context = _thread(request.user, thread_id)
    return fragment(request, "responses/_thread.html", context, thread_id=thread_id, just_approved=just_approved)


def fragment(
    request: DeskRequest,
    template: str,
    context: dict[str, Any],
    *,
    thread_id: int,
    just_approved: OutgoingMessage | None = None,
) -> HttpResponse:
    """A part of the thread's page, and beside it the thread's row in the list and messages."""
    beside = {"row": row_of(thread_id, request.user), "just_approved": just_approved}
    parts = [
        render_to_string(template, context, request=request),
        render_to_string("responses/_beside_fragment.html", beside, request=request),
    ]
    return HttpResponse("\n".join(parts))


@require_POST
@for_roles(AGENT)
def thread_status(request: DeskRequest, pk: int) -> HttpResponse:
    status = checked(StatusForm(request.POST))["status"]
    services.set_status(
        threads=[get_object_or_404(threads_for(request.user), pk=pk).pk], status=status, user=request.user
    )
    messages.info(request, "Closed without a reply." if status == Thread.Status.CLOSED else "Open again.")
    return again(request, pk)


@require_POST
@for_roles(AGENT)
def bulk(request: DeskRequest) -> HttpResponse:
    """Close or reopen the ticked threads."""
    fields = checked(BulkForm(request.POST))
    ticked = list(threads_for(request.user).filter(pk__in=fields["threads"]).values_list("pk", flat=True))
    changed = services.set_status(threads=ticked, status=fields["status"], user=request.user)
    messages.info(
        request,
        f"{changed} thread{'' if changed == 1 else 's'} {'closed' if fields['status'] == 'closed' else 'reopened'}.",
    )
    back = request.META.get("QUERY_STRING", "")
    return redirect(f"/inbox/?{back}" if back else "inbox")


@require_POST
@for_roles(AGENT)
def correct_label(request: DeskRequest, pk: int) -> HttpResponse:
    email = get_object_or_404(emails_for(request.user).select_related("department", "prediction"), pk=pk)
    correct(email=email, user=request.user, **checked(LabelForm(request.POST)))
    messages.info(request, "Label corrected; it becomes training data.")
    return again(request, email.thread_id)


@require_POST
@for_roles(AGENT)
def move_department(request: DeskRequest, pk: int) -> HttpResponse:
    email = get_object_or_404(emails_for(request.user).select_related("department"), pk=pk)
    department = checked(DepartmentForm(request.POST))["department"]
    if department.pk != email.department_id:
        with transaction.atomic():
            move_email(email=email, department=department, user=request.user)
        messages.info(request, f"Moved to {department}; it is classified anew.")
    return again(request, email.thread_id)


@require_POST
@for_roles(AGENT)
def flag_email(request: DeskRequest, pk: int) -> HttpResponse:
    email = get_object_or_404(emails_for(request.user).select_related("prediction"), pk=pk)
    with transaction.atomic():
        opening.flag(email=email, reason=checked(ReasonForm(request.POST))["reason"])
        record(action="flag", target=email, actor=request.user)
    messages.info(request, "Flagged for an admin.")
    return again(request, email.thread_id)
