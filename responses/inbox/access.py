"""What of the inbox a person may open: the mail of their departments."""

from django.db.models import QuerySet

from classifier.models import Email, Thread
from classifier.visibility import visible
from responses.models import Draft, DraftAttachment, OutgoingMessage
from reviewdesk.people.models import User


def threads_for(user: User) -> QuerySet[Thread]:
    return visible(Thread.objects.all(), user, "latest_email__department")


def emails_for(user: User) -> QuerySet[Email]:
    return visible(Email.objects.all(), user)


def drafts_for(user: User) -> QuerySet[Draft]:
    return visible(Draft.objects.all(), user, "email__department")


def attachments_for(user: User) -> QuerySet[DraftAttachment]:
    return visible(DraftAttachment.objects.all(), user, "draft__email__department")


def outgoing_for(user: User) -> QuerySet[OutgoingMessage]:
    return visible(OutgoingMessage.objects.all(), user, "email__department")
