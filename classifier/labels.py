"""The label in force on an email, and the only writer of it."""

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from classifier.models import Department, Email, EmailType, Prediction, Subtype, Verification
from reviewdesk.errors import DeskError
from reviewdesk.prepared import prepared, prepared_update


def label_by_model(*, email: Email, prediction: Prediction) -> None:
    """Put a prediction in force; a person's answer stays in force over it."""
    email.prediction = prediction
    email.work_until = None
    if email.verification_id is None:
        email.type = prediction.type
        subtype = None if prediction.withheld else prediction.subtype
        email.subtype = subtype.final if subtype else None
        email.confidence = prediction.subtype_confidence
    _save(email)


def label_by_person(*, email: Email, verification: Verification) -> None:
    """Put a person's answer in force."""
    email.verification = verification
    subtype = verification.subtype.final if verification.subtype else None
    email.type = subtype.type if subtype else verification.type
    email.subtype = subtype
    email.confidence = None
    _save(email)


def put_in_force(*, email: Email, verification: Verification) -> None:
    """Put an answer in force; one that is to be compared with others only where there is none yet."""
    if not verification.independent or email.verification_id is None:
        label_by_person(email=email, verification=verification)


def withdraw_person_label(*, email: Email) -> None:
    """After an undo: back to the latest answer still in force, or to the model's."""
    here = Q(subtype__isnull=True) | Q(subtype__department=email.department_id)
    here |= Q(subtype__merged_into__department=email.department_id)
    answers = confirmed(email.verifications.filter(here))
    decided = answers.filter(independent=False).order_by("-id").first()
    left = decided or answers.order_by("id").first()  # of answers that are compared, the first
    if left is not None:
        label_by_person(email=email, verification=left)
        return
    email.verification = None
    email.type, email.subtype, email.confidence = "", None, None
    if email.prediction is not None:
        label_by_model(email=email, prediction=email.prediction)
    else:
        _save(email)


def forget_prediction(*, email: Email, department: Department) -> None:
    """Move an email to another department, where it waits for a new prediction."""
    email.department = department
    email.prediction, email.verification, email.queued_at, email.work_until = None, None, None, None
    email.type, email.subtype, email.confidence = "", None, None
    email.save(update_fields=["department", "queued_at", *_in_force(email)])


def confirmed(verifications):
    """Of a queryset of verifications, the answers still in force."""
    return verifications.filter(action=Verification.Action.CONFIRM, superseded_by__isnull=True)


def same_subtype(path: str, other: str) -> Q:
    """In a query: whether two paths lead to one subtype, as subtypes are counted today, or both to none."""
    return Q(Exact(_final(path), _final(other)))


def _final(path: str) -> Coalesce:
    return Coalesce(F(f"{path}__merged_into"), F(path), Value(0))


def find_label(*, department: Department, type: str, subtype: str) -> tuple[str, Subtype | None]:
    """Check a label that came from outside; the type may be left out where the subtype tells it.

    Raises DeskError with the field at fault.
    """
    if type and type not in EmailType.values:
        raise DeskError(
            f"type is {type!r}; allowed: {', '.join(EmailType.values)}", fields={"type": [f"{type!r} is unknown"]}
        )
    if not subtype:
        if not type:
            raise DeskError("type is missing", fields={"type": ["is missing"]})
        return type, None
    found = next(iter(_in_use(department=department.pk, slug=subtype)), None)
    if found is None:
        allowed = ", ".join(department.subtypes.filter(active=True).values_list("slug", flat=True))
        message = f"subtype {subtype!r} is not in {department.slug}; allowed: {allowed or '(none)'}"
        raise DeskError(message, fields={"subtype": [message]})
    if type and found.type != type:
        message = f"type is {type!r}, but {subtype} is a {found.type}"
        raise DeskError(message, fields={"type": [message]})
    return found.type, found


@prepared
def _in_use(*, department: int, slug: str) -> QuerySet[Subtype]:
    return Subtype.objects.filter(department=department, slug=slug, active=True)


def _save(email: Email) -> None:
    if not _store(email=email.pk, **_in_force(email)):
        raise Email.DoesNotExist(f"email {email.pk} is gone; its label was not stored")


def _in_force(email: Email) -> dict[str, Any]:
    return {
        "prediction": email.prediction_id,
        "verification": email.verification_id,
        "type": email.type,
        "subtype": email.subtype_id,
        "confidence": email.confidence,
        "work_until": email.work_until,
    }


@prepared_update
def _store(
    *,
    email: int,
    prediction: int | None,
    verification: int | None,
    type: str,
    subtype: int | None,
    confidence: float | None,
    work_until: datetime | None,
) -> tuple[QuerySet, dict]:
    label = {"prediction": prediction, "verification": verification, "type": type, "subtype": subtype}
    return Email.objects.filter(pk=email), label | {"confidence": confidence, "work_until": work_until}
