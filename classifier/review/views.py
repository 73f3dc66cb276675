"""The review page: one email a screen, answered by keys."""

from datetime import datetime
from typing import cast
from uuid import uuid4

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from classifier.models import Department, ReviewItem, Subtype, Verification
from classifier.review import leases, services
from classifier.review.forms import AnswerForm, MoveForm
from classifier.review.presenting import present
from classifier.review.queries import can_undo, examples_of, holders, queue_state, undoable
from classifier.visibility import visible
from reviewdesk.forms import as_key, checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, REVIEWER


@for_roles(REVIEWER)
def review(request: DeskRequest) -> HttpResponse:
    """The page with what you hold; without a held item it asks for the next one."""
    departments = tuple(Department.objects.filter(active=True).values_list("slug", "name"))
    item = leases.held_by(request.user)
    answered = services.answer_taken_back(item=item, user=request.user) if item else None
    context = _context(request, item, departments=departments, answered=answered)
    return render(request, "classifier/review.html", context)


@require_POST
@for_roles(REVIEWER)
def review_next(request: DeskRequest) -> HttpResponse:
    return _panel(request, leases.claim_next(user=request.user))


@require_POST
@for_roles(REVIEWER)
def review_answer(request: DeskRequest, pk: int) -> HttpResponse:
    """Store an answer; once it is stored, the next item comes back."""
    answer = services.Answer(**checked(AnswerForm(request.POST)))
    verification = services.verify(item=ReviewItem(pk=pk), user=request.user, answer=answer)
    # Where the answer came again, the next item was handed out with the response that got lost.
    item = leases.claim_next(user=request.user, holds_nothing=not verification.came_again)
    return _panel(request, item, saved=True)


@require_POST
@for_roles(REVIEWER)
def review_move(request: DeskRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(_items(request).select_related("email__department"), pk=pk)
    fields = checked(MoveForm(request.POST))
    services.move(item=item, user=request.user, **fields)
    messages.info(request, f"Moved to {fields['department']}; it is classified anew and stays in the queue.")
    return _panel(request, leases.claim_next(user=request.user), saved=True)


@require_POST
@for_roles(REVIEWER)
def review_undo(request: DeskRequest) -> HttpResponse:
    """Take back the last answer, or the one of the history that is named."""
    item = services.undo(user=request.user, answer=as_key(request.POST.get("answer", "")))
    answered = services.answer_taken_back(item=item, user=request.user)
    return _panel(request, leases.held_by(request.user), undone=True, answered=answered)


@for_roles(REVIEWER)
def review_history(request: DeskRequest) -> HttpResponse:
    """The reviewer's last answers that may be taken back."""
    return render(request, "classifier/_review_history.html", {"answers": undoable(user=request.user)})


@for_roles(REVIEWER)
def subtype_examples(request: DeskRequest, pk: int) -> HttpResponse:
    """Emails that show a subtype; `without` leaves out the one being reviewed."""
    shown = examples_of(
        get_object_or_404(visible(Subtype.objects.all(), request.user), pk=pk),
        without=as_key(request.GET.get("without", "")),
    )
    return render(request, "classifier/_subtype_examples.html", {"examples": shown})


@for_roles(REVIEWER)
def review_holders(request: DeskRequest) -> HttpResponse:
    """Who holds what."""
    return render(request, "classifier/_review_holders.html", {"holders": holders(request.user)})


@require_POST
@for_roles(ADMIN)
def review_release(request: DeskRequest, pk: int) -> HttpResponse:
    """Take an item from whoever holds it."""
    leases.release_for(item=get_object_or_404(ReviewItem.objects.select_related("email"), pk=pk), by=request.user)
    messages.info(request, "Released; it is free for the next reviewer.")
    return redirect("review")


@require_POST
@for_roles(REVIEWER)
def review_heartbeat(request: DeskRequest, pk: int) -> JsonResponse:
    item = get_object_or_404(_items(request), pk=pk)
    until = leases.heartbeat(item=item, user=request.user, lease=request.POST.get("lease", ""))
    return JsonResponse({"lease_until": until, "shown": _clock(until)})


@require_POST
@for_roles(REVIEWER)
def review_claim(request: DeskRequest, pk: int) -> JsonResponse:
    """Hold an item again after its lease ran out, with the reviewer's work still on the screen."""
    item = get_object_or_404(_items(request), pk=pk)
    if not leases.claim(item=item, user=request.user):
        raise leases.refusal(item=item, user=request.user, lease="")
    item.refresh_from_db()
    return JsonResponse({"lease": item.lease, "lease_until": item.lease_until, "shown": _clock(item.lease_until)})


def _items(request: DeskRequest) -> QuerySet[ReviewItem]:
    return visible(ReviewItem.objects.all(), request.user, "email__department")


def _clock(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%H:%M") if moment else ""


def _panel(request: DeskRequest, item: ReviewItem | None, **more: object) -> HttpResponse:
    if not request.htmx:
        return redirect("review")
    return render(request, "classifier/_review_panel.html", _context(request, item, **more))


def _context(request: DeskRequest, item: ReviewItem | None, **more: object) -> dict:
    return {
        "state": queue_state(user=request.user, exact=item is None),
        "shown": present(item, cast(Verification | None, more.get("answered"))) if item else None,
        "can_undo": bool(more.get("saved")) or can_undo(user=request.user),
        "idempotency_key": uuid4().hex,
        **more,
    }
