"""Search over whole threads: every email, reply, forwarded email and note of theirs."""

from django.db.models import Q

from classifier.intake.search import emails_matching
from responses.inbox.access import emails_for, notes_for, outgoing_for
from responses.models import OutgoingMessage
from responses.text_indexes import NOTES, OUTGOING
from reviewdesk.people.models import User


def threads_matching(text: str, user: User) -> Q:
    """Threads with an email, a message of ours or a note that `user` may see and that holds every word of `text`."""
    emails = emails_for(user).filter(emails_matching(text))
    messages = OUTGOING.filter(outgoing_for(user).exclude(status=OutgoingMessage.Status.CANCELLED), text)
    notes = NOTES.filter(notes_for(user), text)
    return (
        Q(pk__in=emails.values("thread"))
        | Q(pk__in=messages.values("email__thread"))
        | Q(pk__in=notes.values("thread"))
    )
