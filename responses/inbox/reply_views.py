"""The reply pane: a draft edited, saved, approved, taken back, rejected, asked for again; and what is forwarded."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from classifier.models import Email
from responses.drafting.services import request_redraft
from responses.inbox import attachments, services
from responses.inbox.access import attachments_for, drafts_for, emails_for, outgoing_for, threads_for
from responses.inbox.forms import (
    AttachForm,
    DraftForm,
    ForwardForm,
    RatingForm,
    RedraftForm,
    RejectForm,
    ReplyTextForm,
    ResolveForm,
    SettleForm,
    VersionForm,
)
from responses.inbox.presenting import present_grounding, reply_context
from responses.inbox.queries import forwards, reply_state
from responses.inbox.views import again, fragment
from responses.models import OutgoingMessage
from responses.sending import services as sending
from responses.sending.forwarding import forward
from reviewdesk.errors import Conflict
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import AGENT


@for_roles(AGENT)
def draft_panel(request: DeskRequest, pk: int) -> HttpResponse:
    """The reply pane of an email; asks again by itself while something is under way."""
    email = get_object_or_404(emails_for(request.user).select_related("customer", "thread", "mailbox"), pk=pk)
    if not request.htmx:
        return redirect("inbox-thread", email.thread_id)
    state = reply_state(email)
    if state.progress and request.GET.get("was") == state.progress:
        return HttpResponse(status=204)  # nothing new: what has focus keeps it
    return _panel(request, email)


def _panel(request: DeskRequest, email: Email, *, just_approved: OutgoingMessage | None = None) -> HttpResponse:
    context = {"email": email, **reply_context(email, request.user)}
    template = "responses/_draft_panel.html"
    return fragment(request, template, context, thread_id=email.thread_id, just_approved=just_approved)


@require_POST
@for_roles(AGENT)
def draft_write(request: DeskRequest, pk: int) -> HttpResponse:
    services.start_reply(email=get_object_or_404(emails_for(request.user), pk=pk), user=request.user)
    return draft_panel(request, pk)


@require_POST
@for_roles(AGENT)
def redraft(request: DeskRequest, pk: int) -> HttpResponse:
    """Ask the drafter again, with a hint such as "shorter"; earlier drafts are kept."""
    request_redraft(email=get_object_or_404(emails_for(request.user), pk=pk), **checked(RedraftForm(request.POST)))
    return draft_panel(request, pk)


@for_roles(AGENT)
def redraft_progress(request: DeskRequest, pk: int) -> HttpResponse:
    """The line above a draft while another is written: what has been written so far, or that it is ready."""
    email = get_object_or_404(emails_for(request.user).select_related("thread"), pk=pk)
    state = reply_state(email)
    if state.drafting and request.GET.get("was") == state.progress:
        return HttpResponse(status=204)
    shown = request.GET.get("draft", "")
    context = {
        "email": email,
        "state": state,
        "draft": state.draft,
        "has_new_draft": state.draft is None or str(state.draft.pk) != shown,
    }
    return render(request, "responses/_redraft_progress.html", context)


@for_roles(AGENT)
def draft_grounding(request: DeskRequest, pk: int) -> HttpResponse:
    """What each sentence of the draft, as it is saved, rests on."""
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    return render(request, "responses/_grounding.html", {"draft": draft, "grounding": present_grounding(draft)})


@require_POST
@for_roles(AGENT)
def draft_attach(request: DeskRequest, pk: int) -> HttpResponse:
    draft = get_object_or_404(drafts_for(request.user), pk=pk)
    files = checked(AttachForm(request.POST, request.FILES))["uploads"]
    attachments.attach(draft=draft, files=files, user=request.user)
    return draft_panel(request, draft.email_id)


@require_POST
@for_roles(AGENT)
def draft_detach(request: DeskRequest, pk: int) -> HttpResponse:
    attachment = get_object_or_404(attachments_for(request.user).select_related("draft"), pk=pk)
    attachments.detach(attachment=attachment, user=request.user)
    return draft_panel(request, attachment.draft.email_id)


@require_POST
@for_roles(AGENT)
def draft_take(request: DeskRequest, pk: int, earlier: int) -> HttpResponse:
    """Put the words of an earlier draft in the place of the live one's."""
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    words = get_object_or_404(drafts_for(request.user), pk=earlier, email__thread=draft.email.thread_id).body
    services.use_text(draft=draft, user=request.user, body=words, **checked(VersionForm(request.POST)))
    return draft_panel(request, draft.email_id)


@require_POST
@for_roles(AGENT)
def draft_rate(request: DeskRequest, pk: int) -> HttpResponse:
    """A thumb for the drafter's work, with a reason."""
    draft = get_object_or_404(drafts_for(request.user), pk=pk)
    services.rate_draft(draft=draft, user=request.user, **checked(RatingForm(request.POST)))
    return draft_panel(request, draft.email_id)


@require_POST
@for_roles(AGENT)
def draft_save(request: DeskRequest, pk: int) -> HttpResponse:
    """Autosave and Ctrl+S: answers with the new version and the time on the server's clock."""
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    fields = checked(DraftForm(request.POST))
    wants_json = "json" in request.headers.get("Accept", "")
    try:
        saved = services.save_draft(draft=draft, user=request.user, **fields)
    except Conflict:
        if wants_json:
            raise
        return _both_texts(request, draft.email, fields)
    if not wants_json:
        return redirect("inbox-thread", draft.email.thread_id)
    return JsonResponse({"version": saved.version, "saved_at": timezone.localtime(saved.saved_at).strftime("%H:%M:%S")})


@require_POST
@for_roles(AGENT)
def draft_conflict(request: DeskRequest, pk: int) -> HttpResponse:
    """Somebody else's text of a draft above my own, which comes with the request."""
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    return _both_texts(request, draft.email, checked(ReplyTextForm(request.POST)))


def _both_texts(request: DeskRequest, email: Email, mine: dict[str, Any]) -> HttpResponse:
    current = reply_state(email).draft
    context = {
        "email": email,
        "current": current,
        "editable": current is not None and current.status in services.EDITABLE,
        "mine": mine,
    }
    if request.htmx:
        return render(request, "responses/_draft_conflict.html", context)
    return render(request, "responses/draft_conflict.html", context, status=409)


@require_POST
@for_roles(AGENT)
def draft_resolve(request: DeskRequest, pk: int) -> HttpResponse:
    """Go on with my text or the other one; the text that is not chosen stays with the earlier drafts."""
    email = get_object_or_404(emails_for(request.user), pk=pk)
    fields = checked(ResolveForm(request.POST))
    draft_id, keep = fields.pop("draft"), fields.pop("keep")
    services.resolve_conflict(
        email=email,
        draft=email.drafts.select_related("edited_by").filter(pk=draft_id).first() if draft_id else None,
        overwrite=keep == "mine",
        user=request.user,
        **fields,
    )
    return draft_panel(request, pk)


@require_POST
@for_roles(AGENT)
def draft_approve(request: DeskRequest, pk: int) -> HttpResponse:
    """Save what is in the field, then put it in the outbox."""
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    fields = checked(DraftForm(request.POST))
    sent = (fields["body"].replace("\r\n", "\n"), fields["cc"], fields["bcc"], fields["closes"])
    try:
        if sent != (draft.body, draft.cc, draft.bcc, draft.closes):
            draft = services.save_draft(draft=draft, user=request.user, **fields)
            fields["version"] = draft.version
        message = sending.approve(draft=draft, version=fields["version"], user=request.user)
    except Conflict as error:
        if request.htmx or error.code == "stale":
            raise
        return _both_texts(request, draft.email, fields)
    if not request.htmx:
        return redirect("inbox-thread", message.email.thread_id)
    return _panel(request, message.email, just_approved=message)


@require_POST
@for_roles(AGENT)
def draft_reject(request: DeskRequest, pk: int) -> HttpResponse:
    draft = get_object_or_404(drafts_for(request.user).select_related("email"), pk=pk)
    services.reject_draft(draft=draft, user=request.user, **checked(RejectForm(request.POST)))
    return draft_panel(request, draft.email_id)


@require_POST
@for_roles(AGENT)
def outgoing_undo(request: DeskRequest, pk: int) -> HttpResponse:
    message = get_object_or_404(outgoing_for(request.user).select_related("email"), pk=pk)
    sending.take_back(message=message, user=request.user)
    if not request.htmx:
        return redirect("inbox-thread", message.email.thread_id)
    # The page may show another thread by now, or none: it is told what to fetch again, if it is there.
    is_reply = message.kind == OutgoingMessage.Kind.REPLY
    thread_id, email_id = message.email.thread_id, message.email_id
    detail = {
        "message": message.pk,
        "place": f"#draft-panel-{email_id}" if is_reply else f'[data-thread="{thread_id}"] #forwards',
        "fragment": reverse("draft-panel", args=[email_id])
        if is_reply
        else reverse("thread-forwards", args=[thread_id]),
        "page": reverse("inbox-thread", args=[thread_id]),
        "text": "Taken back. The reply is a draft again." if is_reply else "Taken back. Nothing was forwarded.",
    }
    return trigger_client_event(HttpResponse(status=204), "message-taken-back", detail)


@require_POST
@for_roles(AGENT)
def outgoing_settle(request: DeskRequest, pk: int) -> HttpResponse:
    message = get_object_or_404(outgoing_for(request.user).select_related("email"), pk=pk)
    sending.settle_unknown(message=message, user=request.user, **checked(SettleForm(request.POST)))
    return _after(request, message)


def _after(request: DeskRequest, message: OutgoingMessage) -> HttpResponse:
    """The place on the page where the message stands."""
    if message.kind == OutgoingMessage.Kind.FORWARD:
        return thread_forwards(request, message.email.thread_id)
    return draft_panel(request, message.email_id)


@require_POST
@for_roles(AGENT)
def email_forward(request: DeskRequest, pk: int) -> HttpResponse:
    """Pass an email on to somebody else."""
    email = get_object_or_404(emails_for(request.user).select_related("customer", "mailbox__department"), pk=pk)
    message = forward(email=email, user=request.user, **checked(ForwardForm(request.POST)))
    return again(request, email.thread_id, just_approved=message)


@for_roles(AGENT)
def thread_forwards(request: DeskRequest, pk: int) -> HttpResponse:
    """What of a thread is being passed on; asks again by itself until it has left."""
    thread = get_object_or_404(threads_for(request.user), pk=pk)
    if not request.htmx:
        return redirect("inbox-thread", pk)
    return render(
        request,
        "responses/_forwards.html",
        {"thread": thread, "forwards": forwards(thread, request.user, just_sent=True)},
    )
