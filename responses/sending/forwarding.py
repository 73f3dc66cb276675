"""An email passed on to somebody else: quoted under a covering note, with its files; no answer to the customer."""

import re
from datetime import timedelta
from email.utils import make_msgid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from classifier.models import Email, Mailbox
from responses.models import OutgoingMessage
from responses.sending.services import addresses, sender_of
from responses.text_indexes import index_outgoing
from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

MAX_NOTE = 20_000
MAX_FILES_BYTES = 20 * 2**20


def forward(
    *, email: Email, to: str, user: User, cc: str = "", bcc: str = "", note: str = "", with_files: bool = True
) -> OutgoingMessage:
    """Put an email in the outbox for somebody else, to leave after the undo window; the thread stays as it is.

    Raises DeskError for an address that is none or one of the desk's own, and for files too large to send.
    """
    whom, copies, blind = addresses(to), addresses(cc), addresses(bcc)
    _check(email, whom, [*copies, *blind], note, with_files)
    subject = email.subject if re.match(r"(?i)fwd?:", email.subject) else f"Fwd: {email.subject}"
    with transaction.atomic():
        message = OutgoingMessage.objects.create(
            kind=OutgoingMessage.Kind.FORWARD,
            email=email,
            approved_by=user,
            from_address=sender_of(email),
            to=whom[0],
            cc=", ".join([*whom[1:], *copies]),
            bcc=", ".join(blind),
            subject=subject.strip()[:1000],
            body=f"{note.strip()}\n\n{quoted(email)}".strip(),
            message_id=make_msgid(domain=email.mailbox.address.partition("@")[2]),
            with_files=with_files,
            send_after=timezone.now() + timedelta(seconds=settings.UNDO_SECONDS),
        )
        index_outgoing(message)
        record(action="forward", target=email, actor=user, outgoing=message.pk, to=[*whom, *copies, *blind])
    return message


def _check(email: Email, whom: list[str], copies: list[str], note: str, with_files: bool) -> None:
    if not whom:
        raise DeskError("Say to whom it shall go.", fields={"to": ["is empty"]})
    own = set(Mailbox.objects.values_list("address", flat=True))
    for address in [*whom, *copies]:
        if address.lower() in {a.lower() for a in own}:
            raise DeskError(f"{address} is a mailbox of this desk: move the email to its department instead.")
    if len(note) > MAX_NOTE:
        raise DeskError(f"The note has {len(note):,} characters; allowed: {MAX_NOTE:,}")
    size = sum(a.size for a in email.attachments.all()) if with_files else 0
    if size > MAX_FILES_BYTES:
        raise DeskError(f"Its files make {size:,} bytes; allowed: {MAX_FILES_BYTES:,}. Forward it without them.")


def quoted(email: Email) -> str:
    """The email as it stands in what is passed on, under its headers."""
    who = email.customer
    lines = [
        "---------- Forwarded message ----------",
        f"From: {f'{who.name} <{who.address}>' if who.name else who.address or 'unknown'}",
        f"Date: {timezone.localtime(email.received_at):%a %d %b %Y, %H:%M %Z}",
        f"Subject: {' '.join(email.subject.split())}",
        *([f"To: {' '.join(email.to.split())}"] if email.to else []),
    ]
    return "\n".join(lines) + f"\n\n{email.body}"
