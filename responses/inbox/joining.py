"""Threads joined that belong together, and an email taken out of one it does not belong to."""

from django.db import transaction

from classifier.models import Email, Thread, ThreadReference
from responses.models import Note
from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User


def merge(*, thread: Thread, into: Thread, by: User) -> Thread:
    """Move everything of `thread` into another one of the same customer and mailbox; later answers join there too."""
    if thread.pk == into.pk:
        raise DeskError("A thread cannot be merged with itself.")
    if (thread.customer_id, thread.mailbox_id) != (into.customer_id, into.mailbox_id):
        raise DeskError(
            "Only threads of one customer in one mailbox are merged: an answer would go to the wrong person."
        )
    with transaction.atomic():
        for model in (Email, ThreadReference, Note):
            model.objects.filter(thread=thread).update(thread=into)
        if thread.status == Thread.Status.OPEN:
            Thread.objects.filter(pk=into.pk).update(status=Thread.Status.OPEN, snoozed_until=None)
        record(action="merge", target=into, actor=by, merged=thread.pk, subject=thread.subject)
        thread.delete()
        show_newest_email(into)
    return into


def split(*, email: Email, by: User) -> Thread:
    """Give an email, and what answers to it, a thread of its own. Raises DeskError for the only one of its thread."""
    old = email.thread
    if not old.emails.exclude(pk=email.pk).exists():
        raise DeskError("This is the only email of its thread.")
    with transaction.atomic():
        new = Thread.objects.create(
            mailbox=old.mailbox, customer=email.customer, subject=email.subject[:500], last_message_at=email.received_at
        )
        Email.objects.filter(pk=email.pk).update(thread=new)
        ids = [i for i in [email.message_id, *email.outgoing.values_list("message_id", flat=True)] if i]
        ThreadReference.objects.filter(thread=old, message_id__in=ids).update(thread=new)
        record(action="split", target=new, actor=by, email=email.pk, out_of=old.pk)
        show_newest_email(new)
        show_newest_email(old)
    return new


def show_newest_email(thread: Thread) -> None:
    """Let the newest email that a person wrote stand for its thread."""
    emails = thread.emails.order_by("-received_at", "-pk")
    newest = emails.filter(automatic="").first() or emails.first()
    last = emails.first()
    if newest and last:
        Thread.objects.filter(pk=thread.pk).update(latest_email=newest, last_message_at=last.received_at)
