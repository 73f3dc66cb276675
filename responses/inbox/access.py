"""What of the inbox a person may open: the mail of their departments.

A thread may hold emails of several departments, since an email can be moved. Who sees the department of its newest
email may open it, and sees of it the emails, replies and notes of their own departments.
"""

from django.db.models import Exists, OuterRef, QuerySet

from classifier.models import Email, Thread
from classifier.visibility import departments_of, visible
from responses.models import Draft, DraftAttachment, Note, OutgoingMessage
from reviewdesk.people.models import User


def threads_for(user: User) -> QuerySet[Thread]:
    return visible(Thread.objects.all(), user, "latest_email__department")


def whole_threads_for(user: User) -> QuerySet[Thread]:
    """Threads of which `user` sees every email: only those may be merged, which moves what is in them."""
    departments = departments_of(user)
    threads = threads_for(user)
    if departments is None:
        return threads
    hidden = Email.objects.filter(thread=OuterRef("pk")).exclude(department__in=departments)
    return threads.exclude(Exists(hidden))


def emails_for(user: User) -> QuerySet[Email]:
    return visible(Email.objects.all(), user)


def notes_for(user: User) -> QuerySet[Note]:
    return visible(Note.objects.all(), user)


def drafts_for(user: User) -> QuerySet[Draft]:
    return visible(Draft.objects.all(), user, "email__department")


def attachments_for(user: User) -> QuerySet[DraftAttachment]:
    return visible(DraftAttachment.objects.all(), user, "draft__email__department")


def outgoing_for(user: User) -> QuerySet[OutgoingMessage]:
    return visible(OutgoingMessage.objects.all(), user, "email__department")
