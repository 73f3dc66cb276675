"""Decides which emails a person shall check, and says why."""

from random import random

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Email, Prediction, ReviewItem, ReviewQueue, SampleDraw, Source, Verification
from classifier.review.queues import position, queue_of
from ml.fingerprint import fingerprint
from ml.tokenizing import email_text
from reviewdesk.errors import DeskError
from reviewdesk.prepared import insert

MOST_COPIES = 1_000  # near-copies counted
NOTHING_FITS = "nothing in this department fits"


def open_if_unsure(*, email: Email, prediction: Prediction) -> ReviewItem | None:
    """Open a review when the email is unreadable, its subtype is withheld, or nothing fits; once an email."""
    waiting = list(ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN).order_by("seat"))
    if waiting:  # moved here with its review: what is shown is what is verified
        for item in waiting:
            item.prediction, item.margin = prediction, _margin(prediction)
            item.position = position(queue_of(_queue(item)).order, item)
            item.save(update_fields=["prediction", "margin", "position"])
        return waiting[0]
    if email.verification_id is not None or email.automatic:
        return None
    if email.unreadable:
        return _open(email, prediction, Source.UNREADABLE, f"unreadable: {email.get_unreadable_display().lower()}")
    if not prediction.withheld:
        return _open(email, prediction, Source.OUT_OF_SCOPE, NOTHING_FITS) if prediction.out_of_scope else None
    if prediction.subtype is None:
        reason = f"the model knows no subtype of {email.department.name}"
    else:
        reason = f"subtype confidence {prediction.subtype_confidence:.2f} is under {prediction.threshold:.2f}"
        reason += f"; {NOTHING_FITS}" if prediction.out_of_scope else ""
    return _open(email, prediction, Source.LOW_CONFIDENCE, reason)


LENT = (Source.LOW_CONFIDENCE, Source.UNREADABLE, Source.OUT_OF_SCOPE)  # queues that a sample may take items from


def open_for_sample(email: Email, *, draw: SampleDraw, stratum: str, probability: float) -> None:
    """Put an email into a random sample; one that a reviewer has answered already counts with that answer.

    What waits as unsure is taken over and remembers its queue; what waits for another reason stays where it is, and
    its answer counts.
    """
    reason = f"weekly sample: {draw.size} of {draw.population}, week of {draw.week:%d %b}"
    fields = {"draw": draw, "stratum": stratum, "sampling_probability": probability}
    answered = confirmed(Verification.objects.filter(email=email)).exclude(source=Source.AGENT).order_by("-id").first()
    waiting = list(ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN).order_by("seat"))
    queue = queue_of(Source.WEEKLY)
    for item in waiting if answered is None else []:
        if item.source in LENT and not item.flagged:
            item.origin, item.source, item.blind, item.priority = (
                item.source,
                Source.WEEKLY,
                queue.blind,
                queue.priority,
            )
            item.position, item.reason = position(queue.order, item), f"{reason}; {item.reason}"[:200]
        for name, value in fields.items():
            setattr(item, name, value)
        item.save(update_fields=["origin", "source", "blind", "priority", "position", "reason", *fields])
    if answered is not None:
        ReviewItem.objects.create(
            email=email,
            prediction=email.prediction,
            source=Source.WEEKLY,
            reason=reason,
            status=ReviewItem.Status.DONE,
            done_at=answered.created_at,
            **fields,
        )
    elif not waiting:
        assert email.prediction is not None, "only classified emails are drawn"
        _open(email, email.prediction, Source.WEEKLY, reason, **fields)


def open_for_experiment(email: Email, prediction: Prediction, reason: str) -> None:
    """Ask people about an email of a test, blind; one that waits for them anyway becomes part of the test."""
    waiting = list(ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN))
    queue = queue_of(Source.EXPERIMENT)
    for item in waiting:
        item.origin = item.origin or (item.source if item.source in LENT else "")
        item.source, item.blind, item.priority = Source.EXPERIMENT, True, queue.priority
        item.position, item.reason = position(queue.order, item), f"{reason}; {item.reason}"[:200]
        item.save(update_fields=["origin", "source", "blind", "priority", "position", "reason"])
    if not waiting and email.verification_id is None:
        _open(email, prediction, Source.EXPERIMENT, reason)


def give_back(items: QuerySet[ReviewItem], *, taker: Source) -> None:
    """End what a sample or a test asked for: open items go back to the queue they were taken from, what became unsure
    since then to that of low confidence; the others waited for nothing else and are done. Flagged ones stay.
    """
    taken = items.filter(source=taker, status=ReviewItem.Status.OPEN, flagged=False)
    sampled = Q(draw__isnull=False, draw__closed_at=None) if taker != Source.WEEKLY else Q(pk=None)
    unsure = Q(email__verification=None) & (~Q(origin="") | Q(prediction__withheld=True))
    for item in taken.filter(sampled | unsure).select_related("draw"):
        still = taker != Source.WEEKLY and item.draw is not None and item.draw.closed_at is None
        queue = queue_of(Source.WEEKLY if still else item.origin or Source.LOW_CONFIDENCE)
        item.source, item.blind, item.priority = queue.source, queue.blind, queue.priority
        item.origin, item.position = item.origin if still else "", position(queue.order, item)
        item.save(update_fields=["source", "origin", "blind", "priority", "position"])
    done = {
        "status": ReviewItem.Status.DONE,
        "done_at": timezone.now(),
        "holder": None,
        "lease": "",
        "lease_until": None,
    }
    taken.filter(source=taker).update(**done)


def flag(*, email: Email, reason: str) -> ReviewItem:
    """Send an email to an admin."""
    if email.prediction is None:
        raise DeskError("This email is not classified yet; wait a moment and try again.")
    queue = queue_of(Source.FLAGGED)
    open_items = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN).order_by("seat")
    waits = {"flagged": True, "flag_reason": reason, "priority": queue.priority}
    if open_items.update(**waits, holder=None, lease="", lease_until=None):
        return open_items[0]
    return _open(email, email.prediction, Source.FLAGGED, f"flagged: {reason}"[:200], flagged=True, flag_reason=reason)


def _margin(prediction: Prediction) -> float:
    """How far the best subtype is ahead of the second."""
    probabilities = [p for _, p in prediction.distribution[:2]] + [0.0, 0.0]
    return probabilities[0] - probabilities[1]


def _queue(item: ReviewItem) -> str:
    return Source.FLAGGED if item.flagged else item.source


def _open(email: Email, prediction: Prediction, source: Source, reason: str, **fields) -> ReviewItem:
    """An item for each person whom the queue asks; what is open already stays. Returns the first."""
    queue = queue_of(source)
    seats = [open_seat(email, prediction, queue, reason, seat=n, **fields) for n in range(queue.reviews)]
    return seats[0]


def open_seat(
    email: Email, prediction: Prediction, queue: ReviewQueue, reason: str, *, seat: int = 0, **fields
) -> ReviewItem:
    """The open item of an email at a seat, made if there is none."""
    print_ = fingerprint(email_text(email.subject, email.body))
    alike = ReviewItem.objects.filter(status=ReviewItem.Status.OPEN, fingerprint=print_).exclude(email=email)
    item = ReviewItem(
        email=email,
        seat=seat,
        prediction=prediction,
        reason=reason[:200],
        independent=fields.pop("independent", queue.reviews > 1),
        margin=_margin(prediction),
        fingerprint=print_,
        copies=alike[:MOST_COPIES].count() if print_ else 0,
        **fields,
    )
    return _into(queue, item)


def open_second_seat(item: ReviewItem, queue: ReviewQueue, reason: str, *, seat: int) -> ReviewItem:
    """The open item at another seat of an email that one person has answered, made if there is none."""
    second = ReviewItem(
        email_id=item.email_id,
        seat=seat,
        prediction_id=item.prediction_id,
        reason=reason[:200],
        independent=True,
        margin=item.margin,
        fingerprint=item.fingerprint,
        copies=item.copies,
    )
    return _into(queue, second)


def _into(queue: ReviewQueue, item: ReviewItem) -> ReviewItem:
    """Store a new item in the order of its queue; where its seat is taken, that item."""
    item.source, item.priority, item.blind, item.lottery = queue.source, queue.priority, queue.blind, random()
    item.position = position(queue.order, item) if queue.order != ReviewQueue.Order.OLDEST else 0.0
    try:
        with transaction.atomic():
            insert(item)
    except IntegrityError:
        return ReviewItem.objects.get(email=item.email_id, seat=item.seat, status=ReviewItem.Status.OPEN)
    if queue.order == ReviewQueue.Order.OLDEST:
        item.position = position(queue.order, item)
        item.save(update_fields=["position"])
    return item
