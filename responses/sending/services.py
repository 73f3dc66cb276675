"""Approves and takes back replies; sends them, and what is forwarded."""

import logging
import re
import smtplib
from contextlib import suppress
from datetime import timedelta
from email.utils import formataddr, getaddresses, make_msgid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import BadHeaderError, EmailMessage, get_connection
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from abtests.services import Metric, record_outcome
from classifier.models import Email, Thread, ThreadReference
from responses.figures.queries import changed
from responses.models import Draft, OutgoingMessage
from responses.text_indexes import index_outgoing
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User
from reviewdesk.switches.models import Switch
from reviewdesk.switches.queries import is_paused

logger = logging.getLogger(__name__)

STALE = timedelta(minutes=5)
MAX_REFERENCES = 100
# Errors that prove that nothing left. After any other the server may have said yes: unknown.
REFUSED = (
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPAuthenticationError,
    smtplib.SMTPNotSupportedError,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPDataError,
    ConnectionRefusedError,
    BadHeaderError,
    FileNotFoundError,
    PermissionError,
)
Status = OutgoingMessage.Status


def approve(*, draft: Draft, version: int, user: User) -> OutgoingMessage:
    """Put a draft in the outbox, to leave after the undo window.

    Raises Conflict on a stale version, and where the customer has written again since.
    """
    email = Email.objects.select_related("mailbox__department", "customer", "thread").get(pk=draft.email_id)
    newer = email.thread.emails.filter(received_at__gt=email.received_at, automatic="", customer=email.customer)
    newer = newer.filter(department=email.department_id)  # what was moved away is answered there
    if newer.exists():
        raise Conflict("The customer has written again since this was drafted. Answer the newer email.", code="stale")
    try:
        with transaction.atomic():
            live = Draft.objects.filter(
                pk=draft.pk, version=version, status__in=[Draft.Status.READY, Draft.Status.NO_SOURCE]
            )
            if not live.update(status=Draft.Status.APPROVED, edited_by=user):
                raise _stale(draft)
            draft.refresh_from_db()  # the very words that the version names
            body = without_source_numbers(draft.body, list(draft.sources.values_list("number", flat=True))).strip()
            _check_sendable(email, draft, body)
            message = _outgoing(email, draft, body, user)
            index_outgoing(message)
            record(action="approve reply", target=email, actor=user, outgoing=message.pk)
    except IntegrityError:
        raise Conflict("This reply is on its way already.", code="already_done") from None
    return message


def _check_sendable(email: Email, draft: Draft, body: str) -> None:
    if email.automatic:
        raise DeskError(f"This is {email.get_automatic_display().lower()}: it is never answered.")
    if not email.customer.address:
        raise DeskError("This email has no sender address to answer to.")
    addresses(draft.cc), addresses(draft.bcc)
    if not body:
        raise DeskError("The reply is empty. Write something first.", fields={"body": ["is empty"]})


def _stale(draft: Draft) -> Conflict:
    now = Draft.objects.get(pk=draft.pk)
    if now.status == Draft.Status.APPROVED:
        return Conflict("This reply is on its way already.", code="already_done")
    if now.status in (Draft.Status.REJECTED, Draft.Status.REPLACED):
        return Conflict("This draft has been replaced or rejected. Reload to see the current one.", code="replaced")
    return Conflict(f"{now.edited_by or 'Somebody'} has changed this draft since you opened it.", code="changed")


def _outgoing(email: Email, draft: Draft, body: str, user: User) -> OutgoingMessage:
    subject = email.subject if re.match(r"(?i)re:", email.subject) else f"Re: {email.subject}"
    references = [*email.references.split(), email.message_id]
    return OutgoingMessage.objects.create(
        draft=draft,
        email=email,
        approved_by=user,
        from_address=sender_of(email),
        to=email.customer.address,
        cc=draft.cc,
        bcc=draft.bcc,
        subject=subject.strip()[:1000],
        body=body,
        message_id=make_msgid(domain=email.mailbox.address.partition("@")[2]),
        in_reply_to=email.message_id,
        references=" ".join([r for r in references if r][-MAX_REFERENCES:]),
        send_after=timezone.now() + timedelta(seconds=settings.UNDO_SECONDS),
    )


def sender_of(email: Email) -> str:
    """The From of what leaves about an email: its mailbox, under the name that the mailbox sends by."""
    mailbox = email.mailbox
    return formataddr((mailbox.sender_name or mailbox.department.name, mailbox.address))


def without_source_numbers(body: str, numbers: list[int]) -> str:
    """The body as the customer gets it: `[1]` and the like, where 1 is one of the sources, removed."""
    if not numbers:
        return body
    known = "|".join(map(str, numbers))
    return re.sub(rf"[ \t]?\[(?:{known})\]", "", body)


def take_back(*, message: OutgoingMessage, user: User) -> None:
    """Stop a message that has not left; a reply's draft is live again. Raises Conflict when it is too late."""
    with transaction.atomic():
        if not OutgoingMessage.objects.filter(pk=message.pk, status=Status.APPROVED).update(status=Status.CANCELLED):
            now = OutgoingMessage.objects.get(pk=message.pk)
            raise Conflict(f"Too late: the {now.kind} is {now.get_status_display().lower()}.", code="already_done")
        Draft.objects.filter(pk=message.draft_id).update(status=Draft.Status.READY)
        record(action=f"take back {message.kind}", target=message.email, actor=user, outgoing=message.pk)


def settle_unknown(*, message: OutgoingMessage, sent: bool, user: User) -> None:
    """An agent decides what became of a message whose sending was cut off."""
    unclear = OutgoingMessage.objects.filter(pk=message.pk, status__in=[Status.UNKNOWN, Status.FAILED])
    with transaction.atomic():
        decided = {"status": Status.SENT, "sent_at": timezone.now()} if sent else {"status": Status.CANCELLED}
        if not unclear.update(**decided):
            raise Conflict("Somebody has decided this already.", code="already_done")
        if sent:
            _after_sending(OutgoingMessage.objects.select_related("email__thread").get(pk=message.pk))
        elif message.kind == OutgoingMessage.Kind.REPLY:
            _back_to_the_draft(message)
        record(action=f"settle {message.kind}", target=message.email, actor=user, outgoing=message.pk, sent=sent)


def _back_to_the_draft(message: OutgoingMessage) -> None:
    drafts = Draft.objects.filter(email=message.email_id)
    if drafts.filter(status=Draft.Status.APPROVED).exclude(pk=message.draft_id).exists():
        raise Conflict("Another reply to this email is on its way already.", code="already_done")
    live = (Draft.Status.READY, Draft.Status.NO_SOURCE)
    drafts.filter(status__in=live).update(status=Draft.Status.REPLACED)
    drafts.filter(pk=message.draft_id).update(status=Draft.Status.READY)


def send_due() -> int:
    """Send what is due, each message by one process; returns how many left."""
    now = timezone.now()
    OutgoingMessage.objects.filter(status=Status.SENDING, changed_at__lt=now - STALE).update(
        status=Status.UNKNOWN, error="The desk stopped while this was being sent; it may have left."
    )
    due = OutgoingMessage.objects.filter(status=Status.APPROVED, send_after__lte=now)
    sent = 0
    for pk in list(due.order_by("send_after").values_list("pk", flat=True)[:100]):
        if is_paused(Switch.Part.SENDING):
            break
        sent += _send(pk)
    return sent


def _send(pk: int) -> bool:
    claimed = OutgoingMessage.objects.filter(pk=pk, status=Status.APPROVED)
    if not claimed.update(status=Status.SENDING, changed_at=timezone.now()):
        return False
    mine = OutgoingMessage.objects.filter(pk=pk, status=Status.SENDING)
    message = OutgoingMessage.objects.select_related("email__thread", "draft").get(pk=pk)
    try:
        refused = _deliver(message)
    except Exception as error:
        logger.exception("%s %s could not be sent", message.kind, pk)
        status = Status.FAILED if isinstance(error, REFUSED) else Status.UNKNOWN
        mine.update(status=status, error=f"{type(error).__name__}: {error}")
        return False
    said = "; ".join(f"{who}: {answer}" for who, answer in refused.items())
    if message.to in refused:
        mine.update(status=Status.FAILED, error=f"The server refused {message.to} and took the copies: {said}"[:2000])
        return False
    with transaction.atomic():
        if mine.update(
            status=Status.SENT, sent_at=timezone.now(), error=f"Refused copies: {said}"[:2000] if said else ""
        ):
            _after_sending(message)
    return True


def _deliver(message: OutgoingMessage) -> dict[str, str]:
    """Hand a message to the mail server; returns the recipients that it refused, with its words.

    smtplib raises only if all are refused, and Django drops what it returns otherwise.
    """
    refused: dict[str, str] = {}
    connection, mail = get_connection(), _mime(message)
    mail.connection = connection
    connection.open()
    server = getattr(connection, "connection", None)
    if isinstance(server, smtplib.SMTP):
        sendmail = server.sendmail

        def noting(*args, **kwargs):
            found = sendmail(*args, **kwargs)
            refused.update({who: f"{code} {words.decode(errors='replace')}" for who, (code, words) in found.items()})
            return found

        server.sendmail = noting  # type: ignore[method-assign]
    try:
        mail.send()
    finally:
        with suppress(Exception):  # it has left by now, or failed already
            connection.close()
    return refused


def _mime(message: OutgoingMessage) -> EmailMessage:
    headers = {"Message-ID": message.message_id}
    if message.in_reply_to:
        headers |= {"In-Reply-To": message.in_reply_to, "References": message.references}
    subject = " ".join(message.subject.split())
    cc, bcc = addresses(message.cc), addresses(message.bcc)
    mail = EmailMessage(subject, message.body, message.from_address, [message.to], bcc, headers=headers, cc=cc)
    for file in message.files:
        with file.file.open("rb") as stream:
            mail.attach(file.filename, stream.read(), file.content_type)
    return mail


def addresses(text: str) -> list[str]:
    """The addresses of a line such as `Ann <ann@x.example>, bob@y.example`. Raises DeskError naming one that is none."""
    found = [address for _, address in getaddresses([text.replace(";", ",")])] if text.strip() else []
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            raise DeskError(f"{address or text!r} is no address; allowed: addresses separated by commas") from None
    return list(dict.fromkeys(found))


def _after_sending(message: OutgoingMessage) -> None:
    """An answer that names our Message-ID shall join the thread, which is answered unless newer mail came.

    What was forwarded answers nobody.
    """
    if message.kind != OutgoingMessage.Kind.REPLY:
        return
    ThreadReference.objects.create(thread=message.email.thread, message_id=message.message_id)
    Draft.objects.filter(pk=message.draft_id).update(status=Draft.Status.SENT)
    if message.draft is not None and message.draft.generated_body:
        edited = changed(message.draft.generated_body, message.draft.body)
        record_outcome(subject=str(message.email_id), metric=Metric.EDIT, value=edited)
    answered = Thread.objects.filter(pk=message.email.thread_id, latest_email=message.email_id)
    closes = message.draft is not None and message.draft.closes
    now = Thread.Status.CLOSED if closes else Thread.Status.ANSWERED
    answered.filter(status=Thread.Status.OPEN).update(status=now)
