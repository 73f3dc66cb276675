"""What the inbox shows: threads by filters, page by page, and one thread with its reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from classifier.models import Email, Thread
from responses.inbox.access import drafts_for, outgoing_for, threads_for
from responses.inbox.forms import FilterForm
from responses.inbox.search import threads_matching
from responses.models import Document, Draft, DraftJob, OutgoingMessage
from reviewdesk.forms import as_key
from reviewdesk.people.models import User

PAGE = 40
EARLIER = 10
REPLY = OutgoingMessage.Kind.REPLY
CANNED = 50
LIVE = (Draft.Status.READY, Draft.Status.NO_SOURCE, Draft.Status.APPROVED)


@dataclass(frozen=True)
class Page:
    """A page of threads, newest first; `after` continues it, empty on the last."""

    threads: Sequence[Thread]
    after: str


def filtered(filters: FilterForm, user: User) -> QuerySet[Thread]:
    """Threads that `user` may see and that pass the filters of the URL; a filter that is not valid is left out."""
    f = filters.values
    threads = threads_for(user).filter(latest_email__isnull=False)
    threads = _by_status(threads, f.get("status") or "open", user)
    if f.get("department"):
        threads = threads.filter(latest_email__department=f["department"])
    if f.get("type"):
        threads = threads.filter(latest_email__type=f["type"])
    if f.get("subtype"):
        threads = threads.filter(latest_email__subtype__slug=f["subtype"])
    if f.get("confidence") == "low":
        threads = threads.filter(latest_email__confidence__lt=0.5)
    elif f.get("confidence") == "high":
        threads = threads.filter(latest_email__confidence__gte=0.5)
    elif f.get("confidence") == "verified":
        threads = threads.filter(latest_email__verification__isnull=False)
    if f.get("assignee"):
        threads = threads.filter(assignee=user if f["assignee"] == "me" else None)
    if f.get("tag"):
        threads = threads.filter(tags__contains=f"|{f['tag'].lower()}|")
    if f.get("q"):
        threads = threads.filter(threads_matching(f["q"], user))
    return threads


def _by_status(threads: QuerySet[Thread], status: str, user: User) -> QuerySet[Thread]:
    if status == "ready":
        ready = Draft.objects.filter(email=OuterRef("latest_email"), status=Draft.Status.READY)
        return threads.filter(Exists(ready), status=Thread.Status.OPEN)
    if status == "unsent":
        return threads.filter(Exists(_unsent(user)))
    if status == "snoozed":
        return threads.filter(snoozed_until__gt=timezone.now())
    if status == Thread.Status.OPEN:
        return threads.filter(Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=timezone.now()), status=status)
    if status in Thread.Status.values:
        return threads.filter(status=status)
    return threads


def earlier_threads(thread: Thread, user: User) -> list[Thread]:
    """The same customer's other conversations that `user` may see, newest first."""
    others = threads_for(user).filter(customer=thread.customer_id, customer__address__gt="").exclude(pk=thread.pk)
    return list(others.select_related("latest_email__subtype").order_by("-last_message_at")[:EARLIER])


def _unsent(user: User) -> QuerySet[OutgoingMessage]:
    """Replies of a thread that did not leave, or of which nobody knows."""
    lost = (OutgoingMessage.Status.FAILED, OutgoingMessage.Status.UNKNOWN)
    return outgoing_for(user).filter(email__thread=OuterRef("pk"), status__in=lost)


def page_of(filters: FilterForm, *, user: User, after: str = "") -> Page:
    """Keyset pagination by (last message, id)."""
    threads = filtered(filters, user).order_by("-last_message_at", "-id")
    if (position := _position(after)) is not None:
        at, last = position
        threads = threads.filter(Q(last_message_at__lt=at) | Q(last_message_at=at, id__lt=last))
    rows = list(_rows(threads, user)[: PAGE + 1])
    more = rows[PAGE - 1] if len(rows) > PAGE else None
    return Page(rows[:PAGE], f"{more.last_message_at.isoformat()}_{more.pk}" if more else "")


def _position(after: str) -> tuple[datetime, int] | None:
    """Where a page ends, from its address; None for one that nobody was given."""
    moment, _, last = after.rpartition("_")
    key = as_key(last)
    try:
        at = parse_datetime(moment)
        at = at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):  # the 13th month, or a moment before the year 1
        return None
    return None if at is None or key is None else (at, key)


def row_of(thread_id: int, user: User) -> Thread | None:
    """One thread as the list shows it; None where `user` may not see it."""
    return _rows(threads_for(user).filter(pk=thread_id, latest_email__isnull=False), user).first()


def _rows(threads: QuerySet[Thread], user: User) -> QuerySet[Thread]:
    ready = Draft.objects.filter(email=OuterRef("latest_email"), status=Draft.Status.READY)
    return threads.select_related("customer", "assignee", "latest_email__department", "latest_email__subtype").annotate(
        has_draft=Exists(ready), unsent=Exists(_unsent(user))
    )


@dataclass(frozen=True)
class ReplyState:
    """Everything the reply pane shows about an email."""

    email: Email
    draft: Draft | None
    job: DraftJob | None
    outgoing: OutgoingMessage | None

    @property
    def drafting(self) -> bool:
        """A draft was asked for and will come without anybody doing anything."""
        return self.job is not None and self.job.done_at is None and not self.job.failed

    @property
    def progress(self) -> str:
        """What a page has seen; while it stays the same, the page that asks again is told nothing new."""
        if self.outgoing is not None and self.outgoing.status != OutgoingMessage.Status.SENT:
            return self.outgoing.status
        if self.job is not None and self.drafting:
            return f"drafting-{self.job.attempts}-{len(self.job.partial)}"
        return ""


def earlier_drafts(email: Email) -> list[Draft]:
    """Drafts that were replaced or rejected, newest first; none without words."""
    past = (Draft.Status.REPLACED, Draft.Status.REJECTED)
    return list(
        email.drafts.filter(status__in=past).exclude(body="").select_related("edited_by").order_by("-pk")[:EARLIER]
    )


def left_over(email: Email, user: User) -> list[Draft]:
    """Words that an agent wrote for an earlier email of the thread, and that never left."""
    drafts = drafts_for(user).filter(email__thread=email.thread_id, status__in=LIVE[:2], edited_by__isnull=False)
    return list(drafts.exclude(email=email.pk).exclude(body="").select_related("edited_by").order_by("-pk")[:EARLIER])


def undoable(user: User) -> list[OutgoingMessage]:
    """What `user` approved and can still take back, oldest first."""
    approved = OutgoingMessage.objects.filter(approved_by=user, status=OutgoingMessage.Status.APPROVED)
    return list(approved.filter(send_after__gt=timezone.now()).order_by("send_after")[:EARLIER])


def unsettled(email: Email, user: User) -> list[OutgoingMessage]:
    """Replies to other emails of the thread that did not leave, or of which nobody knows."""
    lost = (OutgoingMessage.Status.FAILED, OutgoingMessage.Status.UNKNOWN)
    found = outgoing_for(user).filter(kind=REPLY, email__thread=email.thread_id, status__in=lost)
    return list(found.exclude(email=email.pk).select_related("approved_by", "email").order_by("-pk")[:EARLIER])


def forwards(thread: Thread, user: User, *, just_sent: bool = False) -> list[OutgoingMessage]:
    """What is being passed on, or could not be, newest first; what has left stands among the turns.

    `just_sent`: that of the last minute too, for a page whose turns are older.
    """
    found = outgoing_for(user).filter(kind=OutgoingMessage.Kind.FORWARD, email__thread=thread)
    shown = ~Q(status__in=(OutgoingMessage.Status.SENT, OutgoingMessage.Status.CANCELLED))
    if just_sent:
        shown |= Q(status=OutgoingMessage.Status.SENT, sent_at__gt=timezone.now() - timedelta(minutes=1))
    return list(found.filter(shown).select_related("email").order_by("-pk")[:EARLIER])


def canned_replies(email: Email) -> list[Document]:
    """The department's ready-made replies."""
    ready = Document.objects.filter(department=email.department_id, doc_type=Document.Type.CANNED, internal=False)
    return list(ready.filter(status=Document.Status.READY).order_by("title")[:CANNED])


def reply_state(email: Email) -> ReplyState:
    outgoing = (
        email.outgoing.filter(kind=REPLY).exclude(status=OutgoingMessage.Status.CANCELLED).order_by("-id").first()
    )
    draft = (
        email.drafts.filter(status__in=LIVE)
        .prefetch_related("sources", "attachments")
        .select_related("edited_by")
        .first()
    )
    return ReplyState(email, draft, DraftJob.objects.filter(email=email).first(), outgoing)
