"""Classifies stored emails, each by one worker at a time; and texts that are not stored."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import isfinite
from time import perf_counter

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from abtests.services import Seat
from classifier.labels import label_by_model
from classifier.models import Department, Email, Prediction, Subtype
from classifier.prediction.arms import turn_of
from classifier.prediction.metrics import note_errors, note_prediction
from classifier.registry.serving import Serving, serving
from classifier.taxonomy_changes import targets
from ml.folding import fold
from ml.scoring import Scores
from reviewdesk.backends import enqueue_emails

logger = logging.getLogger(__name__)

WORK = timedelta(seconds=60)  # how long a task may hold an email
PATIENCE = timedelta(seconds=60)  # how long a queued email may wait before it is queued again
SWEEP = 2_000


@dataclass(frozen=True)
class Answer:
    """What a classification returns: the scores, and what the threshold makes of them."""

    scores: Scores
    threshold: float
    latency_ms: float
    serving: Serving
    seat: Seat | None = None  # in a test between two versions
    failed: bool = False  # the model under test could not, so production answered
    shadow: "Answer | None" = None  # what the other version says, unseen

    @property
    def withheld(self) -> bool:
        return self.scores.subtype is None or self.scores.subtype_confidence < self.threshold


def threshold_of(department: Department) -> float:
    """The subtype confidence under which a department's emails go to review."""
    own = department.review_threshold
    return settings.REVIEW_THRESHOLD if own is None else own


def classify_text(
    *, department: Department, subject: str, body: str, email_id: int | None = None, model: Serving | None = None
) -> Answer:
    """Classify a text, by default with the production model; counted and logged, not stored."""
    current = model or serving()
    start = perf_counter()
    try:
        scores = current.predictor.predict(department.slug, subject, body)
    except Exception:
        note_errors()
        raise
    return _answer(scores, department, current, (perf_counter() - start) * 1000, len(subject) + len(body), email_id)


def classify_emails(*, emails: Sequence[Email]) -> Iterator[tuple[Email, Answer | Exception]]:
    """Classify emails in order, in batches where the runtime gains by them, which is on a GPU.

    An email that cannot be classified comes with its exception and does not take the rest along.
    """
    batched: dict[int, Answer] = {}
    if len(emails) > 1:
        try:
            current = serving()
            batched = _classify_batch(emails, current) if current.predictor.runtime.batches else {}
        except Exception:
            logger.exception("a batch could not be classified; its emails are tried one by one")
    for email in emails:
        try:
            yield email, _take_turn(email, batched.get(email.pk))
        except Exception as error:
            yield email, error


def _take_turn(email: Email, known: Answer | None) -> Answer:
    """The answer to an email; in a test by the model whose turn it is, with the shadow's beside it."""
    turn, failed = turn_of(email), False
    production = turn.seat is None or turn.seat.serves == turn.seat.control
    if known is not None and turn.seat is None:  # in a test the arms' latencies are both of one email at a time
        answer = known
    else:
        try:
            answer = _classify_email(email, turn.serving)
        except Exception:
            if production:
                raise
            logger.exception("arm B failed on email %s; A answers it", email.pk)
            answer, failed = _classify_email(email, serving()), True
    return replace(answer, seat=turn.seat, failed=failed, shadow=_shadow(email, turn.shadow))


def _shadow(email: Email, model: Serving | None) -> Answer | None:
    """None where there is no shadow, or it failed: that must not touch the email."""
    if model is None:
        return None
    try:
        return _classify_email(email, model)
    except Exception:
        logger.exception("the shadow failed on email %s", email.pk)
        return None


def _classify_email(email: Email, model: Serving) -> Answer:
    return classify_text(
        department=email.department, subject=email.subject, body=email.body, email_id=email.pk, model=model
    )


def _classify_batch(emails: Sequence[Email], current: Serving) -> dict[int, Answer]:
    """The latency of each is the batch's."""
    start = perf_counter()
    found = current.predictor.predict_many([(e.department.slug, e.subject, e.body) for e in emails])
    latency = (perf_counter() - start) * 1000
    return {
        e.pk: _answer(scores, e.department, current, latency, len(e.subject) + len(e.body), e.pk)
        for e, scores in zip(emails, found, strict=True)
    }


def _answer(
    scores: Scores, department: Department, current: Serving, latency: float, length: int, email_id: int | None
) -> Answer:
    scores = _in_use(scores, department)
    note_prediction(
        scores=scores,
        department=department.slug,
        model_version=current.version.version,
        latency_ms=latency,
        email_length=length,
        email_id=email_id,
    )
    return Answer(scores, threshold_of(department), latency, current)


def _in_use(scores: Scores, department: Department) -> Scores:
    """The model's scores over the subtypes in use today."""
    changed = targets.get().get(department.pk)
    return scores if changed is None else fold(scores, changed)


def claim_unclassified(*, ids: Sequence[int]) -> list[Email]:
    """Hold those of the emails that have no prediction and that no other task holds."""
    now = timezone.now()
    claimed = []
    for pk in ids:
        free = Email.objects.filter(_unheld(now), pk=pk, prediction__isnull=True)
        if free.update(work_until=now + WORK):
            claimed.append(pk)
    return list(Email.objects.filter(pk__in=claimed).select_related("department", "thread"))


def unclassified(email: Email) -> Email | None:
    """The email as it is now, locked; None when it was moved or classified while the model was thinking."""
    waiting = Email.objects.select_for_update().filter(
        pk=email.pk, department=email.department, prediction__isnull=True
    )
    now = waiting.first()
    if now is None:
        Email.objects.filter(pk=email.pk).update(work_until=None)
    return now


def store_prediction(*, email: Email, answer: Answer) -> Prediction:
    """Keep the whole distribution and put the label in force, in the caller's transaction."""
    prediction = keep_prediction(email=email, answer=answer)
    label_by_model(email=email, prediction=prediction)
    return prediction


def keep_prediction(*, email: Email, answer: Answer) -> Prediction:
    """Store what a model said, without putting it in force: all of what a shadow says."""
    scores = answer.scores
    subtypes = {s.slug: s for s in Subtype.objects.filter(department=email.department, slug__in=[scores.subtype or ""])}
    return Prediction.objects.create(
        email=email,
        department=email.department,
        model_version=answer.serving.version,
        runtime=answer.serving.predictor.runtime.name,
        type=scores.type,
        type_confidence=scores.type_confidence,
        subtype=subtypes.get(scores.subtype or ""),
        subtype_confidence=scores.subtype_confidence,
        threshold=answer.threshold,
        withheld=answer.withheld,
        scope_score=scores.scope if isfinite(scores.scope) else None,
        scope_bar=scores.scope_bar if isfinite(scores.scope_bar) else None,
        distribution=[[slug, round(p, 6)] for slug, p in scores.subtypes],
        latency_ms=answer.latency_ms,
    )


def release(*, email: Email) -> None:
    """Give back an email that could not be classified; the sweeper tries it again later."""
    Email.objects.filter(pk=email.pk).update(work_until=None)


def sweep_unclassified() -> int:
    """Queue again the emails that no task is working on; returns how many."""
    now = timezone.now()
    forgotten = Email.objects.filter(_unheld(now), prediction__isnull=True).filter(
        Q(queued_at__isnull=True) | Q(queued_at__lt=now - PATIENCE)
    )
    ids = list(forgotten.order_by("id").values_list("pk", flat=True)[:SWEEP])
    Email.objects.filter(pk__in=ids).update(queued_at=now)
    enqueue_emails(ids)
    return len(ids)


def _unheld(now) -> Q:
    return Q(work_until__isnull=True) | Q(work_until__lt=now)
