"""Decides which emails a person shall check, and says why."""

from datetime import date, timedelta
from random import random

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Email, Prediction, ReviewItem, ReviewQueue, SampleDraw, Source, Verification
from classifier.review.queues import position, queue_of
from ml.fingerprint import fingerprint
from ml.tokenizing import email_text
from reviewdesk.errors import DeskError

MOST_COPIES = 1_000  # near-copies counted
NOTHING_FITS = "nothing in this department fits"
SAMPLE_DAYS = 7


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


def draw_weekly_sample(*, size: int | None = None, today: date | None = None) -> SampleDraw | None:
    """Draw a uniform sample of the last seven days' predicted emails, once a calendar week.

    Each email carries the probability with which it was drawn. Emails that a reviewer has
    verified already count with that answer; open ones become part of the sample. Returns
    None when this week's sample was drawn before or nothing came in.
    """
    today = today or timezone.localdate()
    week = today - timedelta(days=today.weekday())
    wanted = size or settings.WEEKLY_SAMPLE
    if SampleDraw.objects.filter(week=week).exists():
        return None
    since = timezone.now() - timedelta(days=SAMPLE_DAYS)
    population = Email.objects.filter(prediction__created_at__gte=since, automatic="").exclude(
        verification__source=Source.GOLD
    )
    total = population.count()
    if total == 0:
        return None
    chosen = list(population.order_by("?").values_list("pk", flat=True)[:wanted])
    try:
        with transaction.atomic():
            draw = SampleDraw.objects.create(week=week, population=total, size=len(chosen))
            for email in Email.objects.filter(pk__in=chosen).select_related("prediction"):
                _add_to_sample(email, draw, len(chosen) / total)
    except IntegrityError:  # another process drew it at the same moment
        return None
    return draw


def _add_to_sample(email: Email, draw: SampleDraw, probability: float) -> None:
    reason = f"weekly sample: {draw.size} of {draw.population}, week of {draw.week:%d %b}"
    fields = {"draw": draw, "stratum": "all", "sampling_probability": probability}
    waiting = list(ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN).order_by("seat"))
    queue = queue_of(Source.WEEKLY)
    for item in waiting:
        item.source, item.blind, item.priority = Source.WEEKLY, queue.blind, queue.priority
        item.position, item.reason = position(queue.order, item), f"{reason}; {item.reason}"[:200]
        for name, value in fields.items():
            setattr(item, name, value)
        item.save(update_fields=["source", "blind", "priority", "position", "reason", *fields])
    if waiting:
        return
    answered = confirmed(Verification.objects.filter(email=email)).exclude(source=Source.AGENT).order_by("-id").first()
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
        return
    assert email.prediction is not None, "only classified emails are drawn"
    _open(email, email.prediction, Source.WEEKLY, reason, **fields)


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
        source=queue.source,
        reason=reason[:200],
        priority=queue.priority,
        blind=queue.blind,
        independent=fields.pop("independent", queue.reviews > 1),
        margin=_margin(prediction),
        lottery=random(),
        fingerprint=print_,
        copies=alike[:MOST_COPIES].count() if print_ else 0,
        **fields,
    )
    item.position = position(queue.order, item) if queue.order != ReviewQueue.Order.OLDEST else 0.0
    try:
        with transaction.atomic():
            item.save()
    except IntegrityError:
        return ReviewItem.objects.get(email=email, seat=seat, status=ReviewItem.Status.OPEN)
    if queue.order == ReviewQueue.Order.OLDEST:
        item.position = position(queue.order, item)
        item.save(update_fields=["position"])
    return item
