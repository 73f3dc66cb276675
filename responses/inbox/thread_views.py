"""A thread assigned, put off, tagged and noted; and who else has it open."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from responses.inbox import joining, threads
from responses.inbox.access import emails_for, threads_for, whole_threads_for
from responses.inbox.forms import AssignForm, MergeForm, NoteForm, SnoozeForm, TagsForm
from responses.inbox.views import again
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import AGENT


@require_POST
@for_roles(AGENT)
def thread_assign(request: DeskRequest, pk: int) -> HttpResponse:
    to = checked(AssignForm(request.POST))["to"]
    threads.assign(thread=get_object_or_404(threads_for(request.user), pk=pk), to=to, by=request.user)
    messages.info(request, f"Assigned to {to}." if to else "Assigned to nobody.")
    return again(request, pk)


@require_POST
@for_roles(AGENT)
def thread_snooze(request: DeskRequest, pk: int) -> HttpResponse:
    thread = get_object_or_404(threads_for(request.user), pk=pk)
    until = threads.snooze(thread=thread, by=request.user, **checked(SnoozeForm(request.POST)))
    messages.info(
        request, f"Snoozed until {timezone.localtime(until):%a %d %b, %H:%M}." if until else "Back in the inbox."
    )
    return again(request, pk)


@require_POST
@for_roles(AGENT)
def thread_tags(request: DeskRequest, pk: int) -> HttpResponse:
    threads.set_tags(
        thread=get_object_or_404(threads_for(request.user), pk=pk), by=request.user, **checked(TagsForm(request.POST))
    )
    return again(request, pk)


@require_POST
@for_roles(AGENT)
def thread_note(request: DeskRequest, pk: int) -> HttpResponse:
    """A note for colleagues; it never leaves the house."""
    threads.add_note(
        thread=get_object_or_404(threads_for(request.user), pk=pk), by=request.user, **checked(NoteForm(request.POST))
    )
    return again(request, pk)


@require_POST
@for_roles(AGENT)
def thread_presence(request: DeskRequest, pk: int) -> HttpResponse:
    """Told by the page while it lives; answers with who else is there."""
    others = threads.note_presence(thread=get_object_or_404(threads_for(request.user), pk=pk), user=request.user)
    return render(request, "responses/_presence.html", {"others": others})


@require_POST
@for_roles(AGENT)
def thread_merge(request: DeskRequest, pk: int) -> HttpResponse:
    """Move this thread into another one of the customer's."""
    whole = whole_threads_for(request.user)
    thread = get_object_or_404(whole, pk=pk)
    into = checked(MergeForm(request.POST, threads=whole))["into"]
    joining.merge(thread=thread, into=into, by=request.user)
    messages.info(request, "Merged.")
    return _opened(request, into.pk)


@require_POST
@for_roles(AGENT)
def email_split(request: DeskRequest, pk: int) -> HttpResponse:
    """Give an email a thread of its own."""
    visible_emails = emails_for(request.user).filter(thread__in=threads_for(request.user))
    email = get_object_or_404(visible_emails.select_related("thread__mailbox", "customer"), pk=pk)
    new = joining.split(email=email, by=request.user)
    messages.info(request, "It has a thread of its own now.")
    return _opened(request, new.pk)


def _opened(request: DeskRequest, pk: int) -> HttpResponse:
    """The whole page at the thread's address: the list beside it has changed too."""
    address = reverse("inbox-thread", args=[pk])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
