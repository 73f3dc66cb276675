"""Decides which emails a person shall check, and says why."""

from datetime import date, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Email, Prediction, ReviewItem, SampleDraw, Source, Verification
from reviewdesk.errors import DeskError

PRIORITY = {Source.UNREADABLE: 0, Source.OUT_OF_SCOPE: 4, Source.LOW_CONFIDENCE: 5, Source.WEEKLY: 3, Source.FLAGGED: 8}
NOTHING_FITS = "nothing in this department fits"
SAMPLE_DAYS = 7


def open_if_unsure(*, email: Email, prediction: Prediction) -> ReviewItem | None:
    """Open a review when the email is unreadable, its subtype is withheld, or nothing fits; once an email."""
    waiting = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN)
    if waiting.update(prediction=prediction, margin=_margin(prediction)):
        return waiting.get()  # moved here with its review: what is shown is what is verified
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
    open_item = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN)
    if open_item.update(source=Source.WEEKLY, **fields):
        item = open_item.get()
        item.reason = f"{reason}; {item.reason}"[:200]
        item.save(update_fields=["reason"])
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
    waits = {"flagged": True, "flag_reason": reason, "priority": PRIORITY[Source.FLAGGED]}
    open_item = ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN)
    if open_item.update(**waits, holder=None, lease="", lease_until=None):
        return open_item.get()
    return _open(email, email.prediction, Source.FLAGGED, f"flagged: {reason}"[:200], flagged=True, flag_reason=reason)


def _margin(prediction: Prediction) -> float:
    """How far the best subtype is ahead of the second."""
    probabilities = [p for _, p in prediction.distribution[:2]] + [0.0, 0.0]
    return probabilities[0] - probabilities[1]


def _open(email: Email, prediction: Prediction, source: Source, reason: str, **fields) -> ReviewItem:
    item, _ = ReviewItem.objects.get_or_create(
        email=email,
        status=ReviewItem.Status.OPEN,
        defaults={
            "prediction": prediction,
            "source": source,
            "reason": reason,
            "priority": PRIORITY[source],
            "margin": _margin(prediction),
            **fields,
        },
    )
    return item
