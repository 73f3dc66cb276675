"""A department deleted with its mail, labels, replies and documents, such as one of the demo; nothing brings it back."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import FileField, ProtectedError, QuerySet

from classifier.models import (
    Attachment,
    Customer,
    Department,
    Disagreement,
    Email,
    ImportRun,
    Mailbox,
    ReviewItem,
    Subtype,
    Thread,
    Verification,
)
from responses.inbox.joining import show_newest_email
from responses.knowledge import services as knowledge
from responses.knowledge.indexing import catch_up_index
from responses.models import Document, DraftAttachment, Macro, Note, OutgoingMessage
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

CHUNK = 100  # emails a transaction
NO_REASON = "Give a reason for the deletion; it is kept in the audit trail."
SEARCH_INDEXES = ("email_search", "note_search", "outgoing_search")


@dataclass(frozen=True)
class DeletionEffect:
    """What goes with a department."""

    emails: int
    labels: int
    replies: int
    documents: int


def deletion_effect(department: Department) -> DeletionEffect:
    emails = Email.objects.filter(department=department)
    return DeletionEffect(
        emails.count(),
        Verification.objects.filter(email__in=emails, action=Verification.Action.CONFIRM).count(),
        OutgoingMessage.objects.filter(email__in=emails, status=OutgoingMessage.Status.SENT).count(),
        Document.objects.filter(department=department).exclude(status=Document.Status.DELETED).count(),
    )


def request_deletion(*, department: Department, by: User, reason: str) -> None:
    """Take a department out of use at once and let a worker delete what belongs to it."""
    if not reason.strip():
        raise DeskError(NO_REASON, fields={"reason": ["is missing"]})
    with transaction.atomic():
        Department.objects.filter(pk=department.pk).update(active=False)
        effect = deletion_effect(department)
        record(
            action="delete department", target=department, actor=by, slug=department.slug, reason=reason.strip(),
            emails=effect.emails, labels=effect.labels, replies=effect.replies, documents=effect.documents,
        )  # fmt: skip
        enqueue("workflow.delete_department", department.pk)


def delete_department(
    *, department: Department, by: User | None = None, on_progress: Callable[[int], object] = lambda deleted: None
) -> bool:
    """Delete everything of a department that is out of use, in transactions of 100 emails; broken off, it goes on where
    it stopped. Returns False where its name stays, because emails that are elsewhere now were labelled in it."""
    deleted = 0
    while chunk := list(Email.objects.filter(department=department).values_list("pk", flat=True)[:CHUNK]):
        _delete_emails(chunk)
        deleted += len(chunk)
        on_progress(deleted)
    for document in Document.objects.filter(department=department).exclude(status=Document.Status.DELETED):
        knowledge.delete(document=document, by=by)
    catch_up_index()  # the index learns from the rows what is gone
    Document.objects.filter(department=department).delete()
    Macro.objects.filter(department=department).delete()
    Note.objects.filter(department=department).delete()
    ImportRun.objects.filter(department=department).update(department=None)
    Customer.objects.filter(emails=None, threads=None).delete()
    _forget_texts()
    return _delete_name(department)


def _delete_emails(ids: list[int]) -> None:
    emails = Email.objects.filter(pk__in=ids)
    threads = list(emails.values_list("thread", flat=True).distinct())
    files = [
        *_files(emails, "raw"),
        *_files(Attachment.objects.filter(email__in=ids), "file"),
        *_files(DraftAttachment.objects.filter(draft__email__in=ids), "file"),
    ]
    with transaction.atomic():
        OutgoingMessage.objects.filter(email__in=ids).delete()
        Disagreement.objects.filter(email__in=ids).delete()
        emails.update(prediction=None, verification=None)
        answers = Verification.objects.filter(email__in=ids)
        answers.update(supersedes=None)
        answers.delete()
        ReviewItem.objects.filter(email__in=ids).delete()
        Thread.objects.filter(latest_email__in=ids).update(latest_email=None)
        emails.delete()
        Thread.objects.filter(pk__in=threads, emails=None).delete()
        for thread in Thread.objects.filter(pk__in=threads):
            show_newest_email(thread)
    for file in files:
        file.storage.delete(file.name)


def _files(rows: QuerySet, field: str) -> list:
    """The stored files of a field; their rows are read before they go."""
    assert isinstance(rows.model._meta.get_field(field), FileField)
    return [getattr(row, field) for row in rows.only(field) if getattr(row, field)]


def _forget_texts() -> None:
    """SQLite's text indexes keep the words of rows that are gone until they are built again."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for name in SEARCH_INDEXES:
                cursor.execute(f"INSERT INTO {name}({name}) VALUES ('rebuild')")


def _delete_name(department: Department) -> bool:
    try:
        with transaction.atomic():
            Mailbox.objects.filter(department=department).delete()
            subtypes = Subtype.objects.filter(department=department)
            subtypes.update(merged_into=None)
            subtypes.delete()
            department.delete()
    except ProtectedError:
        return False
    return True
