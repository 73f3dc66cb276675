"""Bounces: a reply that came back is failed again, with the reason, and its thread is open again."""

import re
from collections.abc import Sequence

from django.db import transaction

from classifier.models import Email, Thread
from responses.models import OutgoingMessage
from reviewdesk.audit.services import record

MAX_READ = 300_000
_ID = re.compile(r"<[^<>\s@]+@[^<>\s]+>")
_ACTION = re.compile(r"^action:", re.IGNORECASE | re.MULTILINE)
_FAILED = re.compile(r"^action:[ \t]*failed", re.IGNORECASE | re.MULTILINE)
_RECIPIENT = re.compile(
    r"^(?:final|original)-recipient:[ \t]*(?:rfc822[ \t]*;)?[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE
)
_ADDRESS = re.compile(r"[\w.+-]{1,80}@[\w.-]{1,200}\w")
_REASON = re.compile(r"^(?:diagnostic-code|status):\s*(.+(?:\n[ \t].+)*)", re.IGNORECASE | re.MULTILINE)
Status = OutgoingMessage.Status


def note_bounces(*, ids: Sequence[int]) -> int:
    """Find the replies that these emails say were not delivered; returns how many."""
    bounces = Email.objects.filter(pk__in=list(ids), automatic=Email.Automatic.BOUNCE)
    return sum(_note(bounce) for bounce in bounces)


def _note(bounce: Email) -> int:
    """A bounce quotes the headers of what it returns, our Message-ID among them."""
    text = _whole(bounce)
    if _ACTION.search(text) and not _FAILED.search(text):
        return 0  # delayed, relayed or delivered: nothing came back
    reason = "; ".join(" ".join(r.split()) for r in _REASON.findall(text)[:2]) or bounce.subject
    noted = 0
    ours = OutgoingMessage.objects.filter(email__mailbox=bounce.mailbox_id, status=Status.SENT)
    for message in ours.filter(message_id__in=set(_ID.findall(text))):
        if message.to.lower() not in _recipients(text):
            continue  # a copy came back; the customer has the reply
        with transaction.atomic():
            sent = OutgoingMessage.objects.filter(pk=message.pk, status=Status.SENT)
            if sent.update(status=Status.FAILED, error=f"It came back: {reason[:500]}"):
                Thread.objects.filter(emails=message.email_id).update(status=Thread.Status.OPEN)
                record(action="bounced", target=message.email, outgoing=message.pk, bounce=bounce.pk)
                noted += 1
    return noted


def _recipients(text: str) -> set[str]:
    """Whom it could not be delivered to: by the report's fields, or where it has none, all addresses it names."""
    named = _RECIPIENT.findall(text) if _RECIPIENT.search(text) else _ADDRESS.findall(text)
    return {address.strip("<>").lower() for address in named}


def _whole(bounce: Email) -> str:
    """The message as it came, or its text where only that was kept."""
    if not bounce.raw:
        return bounce.body[:MAX_READ]
    try:
        stream = bounce.raw.open("rb")
    except OSError:
        return bounce.body[:MAX_READ]
    with stream:
        return stream.read(MAX_READ).decode("utf-8", errors="replace").replace("\r\n", "\n")
