"""What a test between two versions learns from an email: exposures when it is classified, verdicts when people answer."""

from random import random

from django.db.models import Q

from abtests.services import A, B, Metric, judge, record_outcomes
from classifier.judging import LOW_CONFIDENCE, judged
from classifier.models import Email, Prediction, ReviewItem, Source
from classifier.prediction.services import Answer, keep_prediction
from classifier.review.opening import open_for_experiment


def note_exposure(*, email: Email, prediction: Prediction, answer: Answer) -> None:
    """Store what the arms showed on an email and, where people shall judge it, ask them; in the caller's transaction."""
    seat = answer.seat
    if seat is None or not seat.measured:
        return
    subject = str(email.pk)
    if not seat.shadow:
        values = {Metric.ERROR: 1.0} if answer.failed else _measured(answer)
        record_outcomes(phase=seat.phase, subject=subject, arm=seat.arm, values=values)
        if not answer.failed and not email.automatic and random() < seat.sample:
            open_for_experiment(email, prediction, "a random email of a test between two models")
        return
    record_outcomes(phase=seat.phase, subject=subject, arm=A, values=_measured(answer))
    if answer.shadow is None:
        record_outcomes(phase=seat.phase, subject=subject, arm=B, values={Metric.ERROR: 1.0})
        return
    record_outcomes(phase=seat.phase, subject=subject, arm=B, values=_measured(answer.shadow))
    other = keep_prediction(email=email, answer=answer.shadow)
    if not seat.sample or email.automatic or email.verification_id is not None:
        return  # nobody will be asked about it, so it is none of the emails that both scored
    differ = other.subtype_id != prediction.subtype_id or other.type != prediction.type
    record_outcomes(phase=seat.phase, subject=subject, arm="", values={Metric.DISAGREE: float(differ)})
    if differ:
        open_for_experiment(email, prediction, "two models differ about it")


def _measured(answer: Answer) -> dict[Metric, float]:
    return {
        Metric.CONFIDENCE: answer.scores.subtype_confidence,
        Metric.LATENCY: answer.latency_ms,
        Metric.LOW: float(answer.scores.subtype_confidence < LOW_CONFIDENCE),
        Metric.ERROR: 0.0,
    }


def judge_email(email: Email) -> None:
    """Tell the tests which versions were right on an email that people judged for them, or that nobody did any more.

    What a version said of it in a department that it has left is not compared with where it belongs.
    """
    if not ReviewItem.objects.filter(email=email, source=Source.EXPERIMENT).exists():
        return
    here = Q(department=email.department_id) | Q(department__merged_into=email.department_id)
    predictions = email.predictions.filter(here)
    predictions = predictions.select_related("model_version", "subtype").order_by("pk")
    said = {p.model_version.version: p for p in predictions}
    answers = {version: found for version, p in said.items() for found in judged({email.pk: p})}
    right = {version: found.right for version, found in answers.items() if found.decides_subtype}
    judge(subject=str(email.pk), right=right or None)
