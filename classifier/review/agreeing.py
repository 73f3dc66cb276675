"""A second person's answer: who gives one, whether it agrees, and who decides where it does not."""

from hashlib import sha256
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from classifier.labels import confirmed, find_label, label_by_person, withdraw_person_label
from classifier.models import Disagreement, Email, ReviewItem, Source, Verification
from classifier.review.experiments import judge_email
from classifier.review.opening import open_second_seat
from classifier.review.queues import queue_of
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue_emails
from reviewdesk.errors import Conflict
from reviewdesk.people.models import User

OVERLAP_SEAT = 9
DECISIONS = (Source.ADJUDICATION, Source.AGENT)


def open_overlap(*, item: ReviewItem) -> ReviewItem | None:
    """Let a second reviewer answer blind, for the share of answers that the item's queue asks for.

    Which ones follows from the email alone, so that an answer undone and given again is treated alike.
    """
    queue = queue_of(item.source)
    if item.independent or _draw(item.email_id) >= queue.overlap_share:
        return None
    second = queue_of(Source.OVERLAP)
    if not second.active or item.email.review_items.filter(source=Source.OVERLAP).exists():
        return None
    reason = f"a second answer, to see whether people agree; the first was from {queue}".lower()
    return open_second_seat(item, second, reason, seat=OVERLAP_SEAT)


def _draw(email: int) -> float:
    """0 to 1, by the email."""
    return int.from_bytes(sha256(f"overlap:{email}".encode()).digest()[:6]) / 2**48


def close_others(item: ReviewItem) -> None:
    """An admin has answered a flagged email: nobody else needs to."""
    others = ReviewItem.objects.filter(email=item.email_id, status=ReviewItem.Status.OPEN).exclude(pk=item.pk)
    others.update(status=ReviewItem.Status.DONE, done_at=timezone.now(), holder=None, lease="", lease_until=None)


def compared(email: Email) -> list[Verification]:
    """The answers in force that are to be compared, the first first: those since the last decision.

    They are reviewers' own; after a second look also the label that was looked at, whoever gave it.
    """
    answers = list(
        confirmed(email.verifications.all()).select_related("subtype", "second_subtype", "reviewer").order_by("pk")
    )
    decisions = [a.pk for a in answers if a.source in DECISIONS]
    if any(a.source == Source.SECOND_LOOK for a in answers):
        return [a for a in answers if not decisions or a.pk >= decisions[-1]]
    return [a for a in answers if a.item_id and (not decisions or a.pk > decisions[-1])]


def reconcile(*, email: Email) -> Disagreement | None:
    """Open a disagreement where answers differ that are to be compared; close one that is over. In the caller's transaction."""
    answers = compared(email)
    independent = any(a.independent for a in answers)
    apart = independent and len({a.label for a in answers}) > 1
    open_now = Disagreement.objects.filter(email=email, settled_by=None)
    if not apart:
        open_now.delete()
        return None
    return open_now.first() or Disagreement.objects.create(email=email)


def adjudicate(
    *, disagreement: Disagreement, user: User, type: str, subtype: str, reason: str = "", without_subtype: str = ""
) -> Verification:
    """Decide between answers; the decision is in force over them. Raises Conflict where somebody has decided."""
    email = Email.objects.select_related("department", "prediction").get(pk=disagreement.email_id)
    type_, found = find_label(department=email.department, type=type, subtype=subtype)
    with transaction.atomic():
        if not Disagreement.objects.select_for_update().filter(pk=disagreement.pk, settled_by=None).exists():
            raise Conflict("Somebody has decided this already, or the answers agree by now.", code="already_done")
        verification = Verification.objects.create(
            email=email,
            prediction=email.prediction,
            reviewer=user,
            action=Verification.Action.CONFIRM,
            type=type_,
            subtype=found,
            without_subtype=without_subtype if found is None else "",
            reason=reason.strip()[:500],
            source=Source.ADJUDICATION,
            idempotency_key=f"adjudicate:{disagreement.pk}:{uuid4().hex}",
        )
        if not Disagreement.objects.filter(pk=disagreement.pk, settled_by=None).update(settled_by=verification):
            raise Conflict("Somebody has decided this already.", code="already_done")
        label_by_person(email=email, verification=verification)
        judge_email(email)
        record(action="adjudicate", target=email, actor=user, type=type_, subtype=found.slug if found else None)
        enqueue_emails([email.pk])
    return verification


def undo_decision(*, disagreement: Disagreement, user: User) -> None:
    """Take back a decision: the answers wait for another one. Raises Conflict where it was taken back already."""
    with transaction.atomic():
        current = Disagreement.objects.select_for_update().get(pk=disagreement.pk)
        decision = current.settled_by
        reopened = Disagreement.objects.filter(email=current.email_id, settled_by=None)
        if decision is None or reopened.exists():
            raise Conflict("This disagreement is open again already.", code="already_done")
        Verification.objects.create(
            email=current.email,
            reviewer=user,
            action=Verification.Action.UNDO,
            source=decision.source,
            supersedes=decision,
            idempotency_key=f"undo:{decision.pk}",
        )
        Disagreement.objects.filter(pk=current.pk).update(settled_by=None)
        email = Email.objects.select_related("prediction").get(pk=current.email_id)
        withdraw_person_label(email=email)
        judge_email(email)
        record(action="undo decision", target=email, actor=user, verification=decision.pk)
