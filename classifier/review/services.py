"""What a reviewer does with an item: confirm, skip, flag, move, undo. Each answer is one row."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.labels import (
    confirmed,
    find_label,
    forget_prediction,
    label_by_model,
    label_by_person,
    put_in_force,
    withdraw_person_label,
)
from classifier.models import Department, Email, ReviewItem, Source, Subtype, Verification, WithoutSubtype
from classifier.review import leases
from classifier.review.agreeing import close_others, open_overlap, reconcile
from classifier.review.experiments import judge_email
from classifier.review.queries import undoable
from classifier.review.queues import lease_time, queue_of
from classifier.visibility import sees
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue_emails
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User
from reviewdesk.prepared import insert, prepared, prepared_update

MAX_SECONDS = 3_600.0


@dataclass(frozen=True)
class Answer:
    """What a reviewer sends. `lease` proves the hold; `idempotency_key` makes a repeat harmless."""

    lease: str
    idempotency_key: str
    action: str
    type: str = ""
    subtype: str = ""
    second_subtype: str = ""
    seconds: float | None = None
    reason: str = ""
    without_subtype: str = ""


def verify(*, item: ReviewItem, user: User, answer: Answer) -> Verification:
    """Store an answer once; of `item` only the key is looked at, the rest is read under the hold.

    Raises Conflict when the hold is lost, DeskError for a wrong label.
    """
    _check_key(answer)
    try:
        with transaction.atomic():
            return _answer(item, user, answer)
    except (IntegrityError, Conflict):
        repeated = _repeat_of(answer, user)
        if repeated is None:
            raise
        return repeated


def _check_key(answer: Answer) -> None:
    if not answer.idempotency_key or len(answer.idempotency_key) > 64:
        message = "idempotency_key is missing or over 64 characters; send a fresh UUID with each answer"
        raise DeskError(message, fields={"idempotency_key": [message]})


def _repeat_of(answer: Answer, user: User) -> Verification | None:
    known = Verification.objects.select_related("subtype").filter(idempotency_key=answer.idempotency_key).first()
    if known is not None and known.reviewer_id != user.pk:
        raise Conflict("This idempotency_key was used by somebody else.", code="conflict")
    if known is not None and _content(known) != (answer.action, answer.subtype, answer.without_subtype):
        # The first one was stored, and its response got lost; then another label was chosen.
        raise Conflict(f"Your answer is stored as “{known.label_text}”. Undo it to change it.", code="already_done")
    if known is not None:
        known.came_again = True
    return known


def _content(known: Verification) -> tuple[str, str, str]:
    return known.action, known.subtype.slug if known.subtype else "", known.without_subtype


def _answer(item: ReviewItem, user: User, answer: Answer) -> Verification:
    actions = Verification.Action
    if answer.action not in (actions.CONFIRM, actions.SKIP, actions.FLAG):
        raise DeskError(f"action is {answer.action!r}; allowed: confirm, skip, flag", fields={"action": ["is unknown"]})
    if answer.action != actions.CONFIRM and not answer.reason.strip():
        raise DeskError(f"A reason is needed to {answer.action} an email.", fields={"reason": ["is missing"]})
    _take(item, user, answer)
    [item] = _with_email(item=item.pk)
    email = item.email
    if not sees(user, email.department_id):
        raise Conflict("This email is in a department you do not see any more.", code="already_done")
    was_flagged = item.flagged and answer.action != actions.FLAG
    type_, subtype, second = ("", None, None)
    if answer.action == actions.CONFIRM:
        _check_first_answer(item, user)
        type_, subtype, second = _labels(email.department, answer)
    verification = insert(
        Verification(
            email=email,
            item=item,
            prediction_id=item.prediction_id,
            reviewer=user,
            action=answer.action,
            type=type_,
            subtype=subtype,
            without_subtype=answer.without_subtype if subtype is None else "",
            second_subtype=second,
            reason=answer.reason.strip()[:500],
            seconds=None if answer.seconds is None else min(max(answer.seconds, 0.0), MAX_SECONDS),
            source=Source.FLAGGED if was_flagged and item.draw_id is None else item.source,
            blind=item.blind,
            independent=item.independent and not was_flagged,
            sampling_probability=item.sampling_probability,
            idempotency_key=answer.idempotency_key,
        )
    )
    if answer.action == actions.CONFIRM:
        first = email.verification_id is None and not item.independent
        wanted = email.wants_reply
        put_in_force(email=email, verification=verification)
        if was_flagged:
            close_others(item)
        else:
            open_overlap(item=item)
        if not first:
            reconcile(email=email)
        if item.source == Source.EXPERIMENT:
            judge_email(email)
        if email.wants_reply and not wanted:  # else its draft was asked for when it was classified
            enqueue_emails([email.pk])
    record(action=f"review {answer.action}", target=email, actor=user, item=item.pk)
    return verification


@prepared
def _with_email(*, item: int) -> QuerySet[ReviewItem]:
    """Without the texts, which an answer does not need."""
    texts = ("email__body", "email__html", "email__references")
    return ReviewItem.objects.select_related("email__department").defer(*texts).filter(pk=item)


def _check_first_answer(item: ReviewItem, user: User) -> None:
    """Where answers are compared, nobody gives two about one email."""
    if item.independent:
        given = confirmed(Verification.objects.filter(email=item.email_id, reviewer=user, item__isnull=False))
        if given.exists():
            raise Conflict("You have answered this email already; somebody else shall.", code="already_done")


def _labels(department: Department, answer: Answer) -> tuple[str, Subtype | None, Subtype | None]:
    if answer.without_subtype and answer.without_subtype not in WithoutSubtype.values:
        message = f"without_subtype is {answer.without_subtype!r}; allowed: {', '.join(WithoutSubtype.values)}"
        raise DeskError(message, fields={"without_subtype": [message]})
    has_subtypes = department.subtypes.filter(active=True, type=answer.type).exists
    if not answer.subtype and not answer.without_subtype and has_subtypes():
        raise DeskError("Choose a subtype, or say that none fits.", fields={"subtype": ["is missing"]})
    type_, subtype = find_label(department=department, type=answer.type, subtype=answer.subtype)
    if not answer.second_subtype:
        return type_, subtype, None
    if answer.second_subtype == answer.subtype:
        raise DeskError("The second label is the same as the first.", fields={"second_subtype": ["is the same"]})
    _, second = find_label(department=department, type="", subtype=answer.second_subtype)
    return type_, subtype, second


def _take(item: ReviewItem, user: User, answer: Answer) -> None:
    """The one UPDATE that ends the hold; its row count decides the race."""
    now = timezone.now()
    if answer.action == Verification.Action.CONFIRM:
        taken = _done(item=item.pk, user=user.pk, lease=answer.lease, now=now)
    else:
        changes: dict[str, Any] = {"holder": None, "lease": "", "lease_until": None}
        if answer.action == Verification.Action.FLAG:
            priority = queue_of(Source.FLAGGED).priority
            changes |= {"flagged": True, "flag_reason": answer.reason.strip()[:500], "priority": priority}
        taken = leases.held(item=item.pk, user=user.pk, lease=answer.lease, now=now).update(**changes)
    if not taken:
        raise leases.refusal(item=item, user=user, lease=answer.lease)


@prepared_update
def _done(*, item: int, user: int, lease: str, now: datetime) -> tuple[QuerySet, dict]:
    done = {"status": ReviewItem.Status.DONE, "done_at": now, "lease_until": None}
    return leases.held(item=item, user=user, lease=lease, now=now), done


def move(
    *, item: ReviewItem, user: User, lease: str, department: Department, idempotency_key: str = ""
) -> Verification:
    """Give the email to another department, where it is classified again; the review stays open. `undo` reverses it."""
    key = idempotency_key or uuid4().hex
    repeated = Verification.objects.filter(idempotency_key=key, reviewer=user, action=Verification.Action.MOVE).first()
    if repeated is not None:
        return repeated
    if item.email.department_id == department.pk:
        raise DeskError(f"The email is in {department.name} already.", fields={"department": ["is the same"]})
    with transaction.atomic():
        mine = leases.held(item=item.pk, user=user.pk, lease=lease, now=timezone.now())
        came_from = item.email.department
        reason = f"moved here from {came_from.name}; {item.reason}"[:200]
        if not mine.update(holder=None, lease="", lease_until=None, reason=reason):
            raise leases.refusal(item=item, user=user, lease=lease)
        verification = Verification.objects.create(
            email=item.email,
            item=item,
            prediction_id=item.prediction_id,
            reviewer=user,
            action=Verification.Action.MOVE,
            moved_from=came_from,
            moved_to=department,
            reason=item.reason,
            source=item.source,
            idempotency_key=key,
        )
        move_email(email=item.email, department=department, user=user)
    return verification


def move_email(*, email: Email, department: Department, user: User) -> None:
    """Change an email's department and let it be classified anew, in the caller's transaction."""
    came_from = email.department.slug
    forget_prediction(email=email, department=department)
    leases.release_all_of(email)  # who may answer it now is decided anew
    record(action="move", target=email, actor=user, before=came_from, after=department.slug)
    enqueue_emails([email.pk])


def undo(*, user: User, answer: int | None = None) -> ReviewItem:
    """Take back one of the reviewer's last answers, by default the last; its item is open again and held by them.

    Raises Conflict where somebody has taken the email up since.
    """
    last = next((v for v in undoable(user=user) if answer in (None, v.pk)), None)
    if last is None:
        raise DeskError("There is nothing to undo: your last 20 answers of the last day can be taken back.")
    now = timezone.now()
    with transaction.atomic():
        Verification.objects.create(
            email=last.email,
            item=last.item,
            reviewer=user,
            action=Verification.Action.UNDO,
            source=last.source,
            supersedes=last,
            idempotency_key=f"undo:{last.pk}",
        )
        _reopen(last, user, now)
        if last.action == Verification.Action.MOVE:
            _move_back(last, user)
        if last.action == Verification.Action.CONFIRM:
            email = Email.objects.select_related("prediction").get(pk=last.email_id)
            withdraw_person_label(email=email)
            reconcile(email=email)
            judge_email(email)
        record(action="review undo", target=last.email, actor=user, item=last.item_id)
    return ReviewItem.objects.get(pk=last.item_id)


def _move_back(last: Verification, user: User) -> None:
    """Put the email back where it was moved from, with the prediction it had there, so that it is shown at once."""
    email = Email.objects.select_for_update().get(pk=last.email_id)
    if email.department_id != last.moved_to_id or email.verification_id is not None:
        raise Conflict("Somebody has moved or labelled this email since.", code="already_done")
    assert last.moved_from is not None and last.moved_to is not None and last.prediction is not None
    forget_prediction(email=email, department=last.moved_from)
    label_by_model(email=email, prediction=last.prediction)
    open_items = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN)
    open_items.update(prediction=last.prediction)
    open_items.filter(pk=last.item_id).update(reason=last.reason[:200])
    record(action="move", target=email, actor=user, before=last.moved_to.slug, after=last.moved_from.slug)
    enqueue_emails([email.pk])


def answer_taken_back(*, item: ReviewItem, user: User) -> Verification | None:
    """What `user` had answered about an item that they hold again, to be shown as they gave it."""
    given = Verification.objects.filter(item=item, reviewer=user, action=Verification.Action.CONFIRM)
    last = given.select_related("subtype__merged_into", "second_subtype", "superseded_by").order_by("-pk").first()
    return last if last is not None and hasattr(last, "superseded_by") else None


def _reopen(last: Verification, user: User, now) -> None:
    """Open the item again and hold it, unless somebody else works on it or has answered since."""
    item = ReviewItem.objects.get(pk=last.item_id)
    since = Verification.objects.filter(email=last.email_id, pk__gt=last.pk, superseded_by__isnull=True)
    later = since.exclude(action=Verification.Action.UNDO).exclude(independent=True)
    if last.independent:
        later = later.filter(source__in=[Source.ADJUDICATION, Source.AGENT])
    open_now = ReviewItem.objects.filter(email=last.email_id, status=ReviewItem.Status.OPEN)
    another = open_now.filter(seat=item.seat).exclude(pk=item.pk)
    held = item.holder_id not in (None, user.pk) and item.lease_until and item.lease_until >= now
    if later.exists() or another.exists() or held:
        raise Conflict("Somebody else has taken this email up since; ask them or an admin.", code="held_by_other")
    fields = {"flagged": False, "flag_reason": ""} if last.action == Verification.Action.FLAG else {}
    ReviewItem.objects.filter(holder=user, status=ReviewItem.Status.OPEN).update(
        holder=None, lease="", lease_until=None
    )
    ReviewItem.objects.filter(pk=item.pk).update(
        status=ReviewItem.Status.OPEN,
        done_at=None,
        holder=user,
        lease=token_hex(16),
        lease_until=now + lease_time(item.source),
        claimed_at=now,
        **fields,
    )


def correct(*, email: Email, user: User, type: str, subtype: str) -> Verification:
    """An agent's correction: it closes the open review, trains, and never enters the accuracy figure.

    What a random sample or a test asks about stays open: agents correct what the model got wrong, and without those
    the figure would be too kind. The reviewer's answer counts there; the agent's label stays in force.
    """
    type_, found = find_label(department=email.department, type=type, subtype=subtype)
    with transaction.atomic():
        verification = Verification.objects.create(
            email=email,
            prediction=email.prediction,
            reviewer=user,
            action=Verification.Action.CONFIRM,
            type=type_,
            subtype=found,
            source=Source.AGENT,
            idempotency_key=f"agent:{email.pk}:{timezone.now().timestamp()}",
        )
        waiting = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN)
        asked = Q(source__in=[Source.WEEKLY, Source.EXPERIMENT], flagged=False)
        waiting.filter(asked).update(independent=True)
        waiting.exclude(asked).update(
            status=ReviewItem.Status.DONE, done_at=timezone.now(), holder=None, lease_until=None
        )
        label_by_person(email=email, verification=verification)
        reconcile(email=email)
        record(action="correct label", target=email, actor=user)
        enqueue_emails([email.pk])
    return verification
