"""What the review pages show: the queue's state, who holds what, a person's answers of the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Min, QuerySet
from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Email, ReviewItem, Subtype, Verification
from classifier.review.leases import workable
from reviewdesk.people.models import User

UNDO_LIMIT = 20
UNDO_SPAN = timedelta(days=1)
COUNTED = 1_000  # open items counted each time; over that, the number is up to a minute old
EXAMPLES = 3
ANSWERS = (Verification.Action.CONFIRM, Verification.Action.SKIP, Verification.Action.FLAG)


@dataclass(frozen=True)
class Held:
    """An item under a live lease."""

    item: int
    holder: str
    until: datetime | None


@dataclass(frozen=True)
class QueueState:
    """Counts of the open queue as one reviewer sees it."""

    open: int
    held_by_others: int
    next_free_at: datetime | None
    holders: Sequence[Held]
    done_today: int

    @property
    def share_done(self) -> int:
        total = self.done_today + self.open
        return round(100 * self.done_today / total) if total else 100


def queue_state(*, user: User) -> QueueState:
    now = timezone.now()
    held = ReviewItem.objects.filter(status=ReviewItem.Status.OPEN, lease_until__gte=now, holder__isnull=False)
    holders = [
        Held(*row) for row in held.order_by("lease_until").values_list("pk", "holder__username", "lease_until")[:50]
    ]
    others = [h for h in holders if h.holder != user.username]
    free = workable(user).filter(pk__in=[h.item for h in others]).order_by() if others else ReviewItem.objects.none()
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    done = answers_in_force(user).filter(created_at__gte=midnight).count()
    first = free.aggregate(at=Min("lease_until"))["at"] if others else None
    return QueueState(open_count(user), free.count() if others else 0, first, holders[:20], done)


def open_count(user: User) -> int:
    """How many items are open to `user`: exact up to COUNTED, beyond that up to a minute old."""
    items = workable(user).order_by()
    counted = items[: COUNTED + 1].count()
    if counted <= COUNTED:
        return counted
    return cache.get_or_set(f"open items {user.pk}", items.count, 60) or counted


def answers_in_force(user: User) -> QuerySet[Verification]:
    """The answers of a reviewer in the queue that nothing has superseded."""
    return Verification.objects.filter(
        reviewer=user, item__isnull=False, superseded_by__isnull=True, action__in=ANSWERS
    )


def undoable(*, user: User) -> list[Verification]:
    """The reviewer's answers in force among their last 20 of the last day, the newest first: those may be taken back."""
    since = timezone.now() - UNDO_SPAN
    given = Verification.objects.filter(reviewer=user, item__isnull=False, action__in=ANSWERS, created_at__gte=since)
    last = given.select_related("email", "item", "subtype", "superseded_by").order_by("-pk")[:UNDO_LIMIT]
    return [v for v in last if not hasattr(v, "superseded_by")]


def can_undo(*, user: User) -> bool:
    since = timezone.now() - UNDO_SPAN
    last = Verification.objects.filter(reviewer=user, item__isnull=False, action__in=ANSWERS, created_at__gte=since)
    return any(one is None for one in last.order_by("-pk").values_list("superseded_by", flat=True)[:UNDO_LIMIT])


def examples_of(subtype: Subtype, *, without: int | None = None) -> list[str]:
    """Up to three emails that show a subtype: those written for it, then the newest that people gave it."""
    own = [text.strip() for text in subtype.examples.split("\n---") if text.strip()][:EXAMPLES]
    answers = confirmed(Verification.objects.filter(subtype=subtype, email__subtype=subtype)).exclude(email=without)
    emails = Email.objects.filter(pk__in=list(answers.order_by("-pk").values_list("email", flat=True)[: 2 * EXAMPLES]))
    shown = [f"{e.subject}. {e.body[:300]}".strip(". ") for e in emails.order_by("-pk")]
    return [*own, *dict.fromkeys(shown)][:EXAMPLES]
