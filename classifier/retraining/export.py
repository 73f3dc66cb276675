"""Labels out, as training rows: CSV or JSONL, streamed in keyset chunks."""

import csv
import io
import json
from collections.abc import Iterator

from django.db.models import Max, QuerySet

from classifier.models import Email, Verification
from reviewdesk.errors import DeskError

COLUMNS = (
    "email_id", "message_id", "thread_id", "received_at", "department", "subject", "body", "predicted_type",
    "predicted_type_confidence", "predicted_subtype", "predicted_subtype_confidence", "model_version", "type",
    "subtype", "second_subtype", "reviewer", "reviewed_at", "seconds", "source", "sampling_probability", "snapshot_id",
)  # fmt: skip
FORMATS = ("csv", "jsonl")
CHUNK = 500


def snapshot_id() -> str:
    """Names the state of the labels: two exports with the same one hold the same rows."""
    latest = Verification.objects.aggregate(latest=Max("pk"))["latest"] or 0
    return f"v{latest}"


def label_rows() -> Iterator[dict]:
    """One row for each email with a human label in force, by email id."""
    snapshot, last = snapshot_id(), 0
    while chunk := list(_labelled().filter(pk__gt=last)[:CHUNK]):
        for email in chunk:
            yield _row(email, snapshot)
        last = chunk[-1].pk


def count_labels() -> int:
    return Email.objects.filter(verification__isnull=False).count()


def stream(format: str) -> Iterator[str]:
    """The export as lines of text. Raises DeskError for an unknown format."""
    if format not in FORMATS:
        raise DeskError(f"format is {format!r}; allowed: {', '.join(FORMATS)}")
    return _csv_lines() if format == "csv" else (json.dumps(row, ensure_ascii=False) + "\n" for row in label_rows())


def _csv_lines() -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for row in label_rows():
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _labelled() -> QuerySet[Email]:
    return (
        Email.objects.filter(verification__isnull=False)
        .select_related(
            "department",
            "verification__subtype",
            "verification__second_subtype",
            "verification__reviewer",
            "verification__prediction__subtype",
            "verification__prediction__model_version",
        )
        .order_by("pk")
    )


def _row(email: Email, snapshot: str) -> dict:
    answer = email.verification
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
        "type": answer.type,
        "subtype": answer.subtype.slug if answer.subtype else "",
        "second_subtype": answer.second_subtype.slug if answer.second_subtype else "",
        "reviewer": answer.reviewer.username if answer.reviewer else "",
        "reviewed_at": answer.created_at.isoformat(),
        "seconds": answer.seconds,
        "source": answer.source,
        "sampling_probability": answer.sampling_probability,
        "snapshot_id": snapshot,
    }
