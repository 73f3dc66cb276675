"""The way of an email, in one place: receive, classify, open a review if unsure, draft a reply.

Receiving is `classifier.intake`, which stores emails and asks for `process`. Each step skips
what is already done, so that a step may run twice and a lost task is picked up by a sweeper.
"""

import logging
from collections.abc import Sequence

from django.db import transaction

from classifier.models import Email, Prediction
from classifier.prediction.metrics import note_errors
from classifier.prediction.services import (
    Answer,
    claim_unclassified,
    classify_emails,
    release,
    store_prediction,
    unclassified,
)
from classifier.registry.serving import serving
from classifier.review.experiments import note_exposure
from classifier.review.opening import open_if_unsure
from responses.drafting.services import request_draft
from responses.sending.bounces import note_bounces
from reviewdesk.backends import enqueue
from reviewdesk.errors import BackendError, DeskError
from reviewdesk.switches.models import Switch
from reviewdesk.switches.queries import is_paused
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
model_trouble = Trouble(logger, over="A model serves again; the emails that waited are classified.")
email_trouble = Trouble(logger)


def process(*, ids: Sequence[int]) -> None:
    """Take emails as far as they can go now."""
    try:
        note_bounces(ids=ids)
    except Exception:
        logger.exception("bounces could not be noted; the emails go on")
    asked = classify(ids=ids)
    _ask_drafter([*asked, *draft(ids=[pk for pk in ids if pk not in asked])])


def classify(*, ids: Sequence[int]) -> list[int]:
    """Classify those that have no prediction, open reviews for the unsure. Returns those that want a draft."""
    asked: list[int] = []
    if is_paused(Switch.Part.CLASSIFICATION) or not _has_model(len(ids)):
        return asked
    for email, answer in classify_emails(emails=claim_unclassified(ids=ids)):
        try:
            if isinstance(answer, Exception):
                raise answer
            with transaction.atomic():
                now = unclassified(email)
                if now is not None:
                    prediction = store_prediction(email=now, answer=answer)
                    open_if_unsure(email=now, prediction=prediction)
                    _note_exposure(now, prediction, answer)
                    wanted = request_draft(email=now)
            if now is not None and wanted:
                asked.append(now.pk)
            email_trouble.over(key=email.pk)
        except Exception as error:
            message = f"email {email.pk} could not be classified, it is tried again: {type(error).__name__}: {error}"
            email_trouble.report(message, key=email.pk, exc_info=not isinstance(error, DeskError))
            release(email=email)
    return asked


def _has_model(waiting: int) -> bool:
    """Whether a model serves; said once where none does, and not for each email that waits."""
    try:
        serving()
    except BackendError as error:
        note_errors(waiting)
        model_trouble.report(f"Emails wait, unclassified: {error.message}")
        return False
    model_trouble.over()
    return True


def _note_exposure(email: Email, prediction: Prediction, answer: Answer) -> None:
    """What a test learns from an email must not hold the email up."""
    try:
        with transaction.atomic():
            note_exposure(email=email, prediction=prediction, answer=answer)
    except Exception:
        logger.exception("what a test measured on email %s could not be stored", email.pk)


def draft(*, ids: Sequence[int]) -> list[int]:
    """Note that a draft is wanted where a reply is and none was asked for. Returns those."""
    found = Email.objects.filter(pk__in=list(ids)).select_related("thread")
    return [email.pk for email in found if request_draft(email=email)]


def _ask_drafter(ids: Sequence[int]) -> None:
    """One task a draft: new mail is classified between two of them."""
    for pk in ids:
        enqueue("workflow.write_drafts", [pk])
