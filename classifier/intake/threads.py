"""Finds the conversation an email belongs to."""

from collections.abc import Callable
from datetime import datetime

from classifier.intake.parsed import ParsedEmail
from classifier.models import Customer, Email, Mailbox, Thread, ThreadReference


def thread_for(
    *,
    mailbox: Mailbox,
    customer: Customer,
    parsed: ParsedEmail,
    received_at: datetime,
    closed: bool,
    may_join: Callable[[int], bool] = lambda department_id: True,
) -> Thread:
    """The thread that In-Reply-To or References name, if the same customer wrote in it; else a new one.

    Without the sender check anybody who guesses a Message-ID could write into a stranger's thread. `may_join` tells
    by its department whether whoever brings the email in may write into a thread.
    """
    ids = {parsed.in_reply_to, *parsed.references} - {""}
    found = None
    if ids and customer.address:
        found = _named(mailbox, customer, ids) or None
    if found is None and parsed.message_id and customer.address:
        found = _answered_before_it_came(mailbox, customer, parsed.message_id)
    newest = found.latest_email if found is not None else None
    if found is not None and (newest is None or may_join(newest.department_id)):
        return found
    return Thread.objects.create(
        mailbox=mailbox,
        customer=customer,
        subject=parsed.subject[:500],
        status=Thread.Status.CLOSED if closed else Thread.Status.OPEN,
        last_message_at=received_at,
    )


def _named(mailbox: Mailbox, customer: Customer, ids: set[str]) -> Thread | None:
    references = ThreadReference.objects.filter(
        message_id__in=ids, thread__mailbox=mailbox, thread__customer=customer
    ).select_related("thread__latest_email")
    reference = references.order_by("-id").first()
    return reference.thread if reference else None


def _answered_before_it_came(mailbox: Mailbox, customer: Customer, message_id: str) -> Thread | None:
    """Files are not in order: a follow-up may have been read before the email that it follows."""
    later = Email.objects.filter(mailbox=mailbox, customer=customer, in_reply_to=message_id)
    later = later.select_related("thread__latest_email")
    email = later.first()
    return email.thread if email else None


def add_to_thread(*, thread: Thread, email: Email, closed: bool) -> None:
    """Make the newest email the thread's face; mail from a person reopens it, unless it came `closed`."""
    if email.message_id:
        ThreadReference.objects.create(thread=thread, message_id=email.message_id)
    if thread.latest_email_id is None or email.received_at >= thread.last_message_at:
        # An out-of-office must not hide the question that it follows.
        if thread.latest_email is None or thread.latest_email.automatic or not email.automatic:
            thread.latest_email = email
        thread.last_message_at = email.received_at
        if thread.status != Thread.Status.OPEN and not email.automatic and not closed:
            thread.status = Thread.Status.OPEN
        if not email.automatic:
            thread.snoozed_until = None
        thread.save(update_fields=["latest_email", "last_message_at", "status", "snoozed_until"])
