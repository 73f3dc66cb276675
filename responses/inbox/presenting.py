"""A thread as the page shows it: the customer's mail and our replies, in order of time."""

from dataclasses import dataclass
from datetime import datetime

from classifier.models import Email, Thread
from ml.quoting import SplitText, split_quoted
from responses.models import OutgoingMessage

MAX_SHOWN = 50_000
MAX_TURNS = 50


@dataclass(frozen=True)
class Turn:
    """Either an email that came or a reply that left."""

    at: datetime
    email: Email | None
    text: SplitText | None
    reply: OutgoingMessage | None


def present_thread(thread: Thread) -> list[Turn]:
    """The last 50 emails and the replies sent, oldest first."""
    emails = thread.emails.select_related("customer", "department").prefetch_related("attachments")
    came = [
        Turn(e.received_at, e, split_quoted(e.body[:MAX_SHOWN]), None)
        for e in emails.order_by("-received_at")[:MAX_TURNS]
    ]
    sent = OutgoingMessage.objects.filter(email__thread=thread, status=OutgoingMessage.Status.SENT)
    left = [Turn(m.sent_at or m.changed_at, None, None, m) for m in sent.select_related("approved_by")]
    return sorted([*came, *left], key=lambda turn: turn.at)
