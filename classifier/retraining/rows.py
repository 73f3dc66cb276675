"""The labels as training rows: one for each email that a person labelled, as they stood at a snapshot."""

from collections.abc import Iterator

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from classifier.models import Email, Verification

COLUMNS = (
    "email_id", "message_id", "thread_id", "received_at", "department", "subject", "body", "predicted_type",
    "predicted_type_confidence", "predicted_subtype", "predicted_subtype_confidence", "model_version", "type",
    "subtype", "without_subtype", "second_subtype", "comment", "reviewer", "reviewed_at", "seconds", "blind", "source",
    "sampling_probability", "snapshot_id",
)  # fmt: skip
CHUNK = 500


def latest_snapshot() -> int:
    """The newest verification; an export of one snapshot gives the same rows however often it is made."""
    return Verification.objects.aggregate(latest=Max("pk"))["latest"] or 0


def count_labels(snapshot: int) -> int:
    return _labelled(snapshot).count()


def label_rows(snapshot: int, *, after: int = 0) -> Iterator[dict]:
    """Rows by email id, in keyset chunks."""
    while chunk := list(_labelled(snapshot).filter(pk__gt=after)[:CHUNK]):
        answers = _answers(chunk, snapshot)
        for email in chunk:
            if email.pk in answers:
                yield _row(email, answers[email.pk], snapshot)
        after = chunk[-1].pk


def _known(snapshot: int) -> QuerySet[Verification]:
    """Answers that were in force at a snapshot: an undo that came later does not count yet."""
    undone_later = Q(superseded_by__isnull=True) | Q(superseded_by__pk__gt=snapshot)
    return Verification.objects.filter(undone_later, pk__lte=snapshot, action=Verification.Action.CONFIRM)


def _labelled(snapshot: int) -> QuerySet[Email]:
    labelled = Email.objects.filter(Exists(_known(snapshot).filter(email=OuterRef("pk"))))
    return labelled.select_related("department").order_by("pk")


def _answers(emails: list[Email], snapshot: int) -> dict[int, Verification]:
    """Email id → its label in force at the snapshot: the last decision, else the first of answers that are compared.

    Answers given in a department that the email has left since are left out.
    """
    departments = {e.pk: e.department_id for e in emails}
    found: dict[int, Verification] = {}
    answers = _known(snapshot).filter(email__in=departments).select_related(
        "subtype__merged_into", "second_subtype__merged_into", "reviewer", "prediction__subtype", "prediction__model_version"
    )  # fmt: skip
    for answer in answers.order_by("pk"):
        if answer.subtype is not None and answer.subtype.final.department_id != departments[answer.email_id]:
            continue
        before = found.get(answer.email_id)
        if before is None or not answer.independent:
            found[answer.email_id] = answer
    return found


def _row(email: Email, answer: Verification, snapshot: int) -> dict:
    said = answer.prediction
    return {
        "email_id": email.pk,
        "message_id": email.message_id,
        "thread_id": email.thread_id,
        "received_at": email.received_at.isoformat(),
        "department": email.department.slug,
        "subject": email.subject,
        "body": email.body,
        "predicted_type": said.type if said else "",
        "predicted_type_confidence": said.type_confidence if said else None,
        "predicted_subtype": said.subtype.slug if said and said.subtype else "",
        "predicted_subtype_confidence": said.subtype_confidence if said else None,
        "model_version": said.model_version.version if said else "",
        "type": answer.subtype.final.type if answer.subtype else answer.type,
        "subtype": answer.subtype.final.slug if answer.subtype else "",
        "without_subtype": answer.without_subtype,
        "second_subtype": answer.second_subtype.final.slug if answer.second_subtype else "",
        "comment": answer.reason,
        "reviewer": answer.reviewer.username if answer.reviewer else "",
        "reviewed_at": answer.created_at.isoformat(),
        "seconds": answer.seconds,
        "blind": answer.blind,
        "source": answer.source,
        "sampling_probability": answer.sampling_probability,
        "snapshot_id": f"v{snapshot}",
    }
