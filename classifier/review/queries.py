"""What the review pages show: the queue's state, who holds what, a person's answers of the day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5

from django.core.cache import cache
from django.db.models import Count, Min, Q, QuerySet, Subquery
from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Email, ReviewItem, Subtype, Verification
from classifier.review.leases import workable
from classifier.review.queues import allowed
from classifier.visibility import departments_of, visible
from reviewdesk.people.models import User
from reviewdesk.prepared import counted, prepared

UNDO_LIMIT = 20
UNDO_SPAN = timedelta(days=1)
COUNTED = 200  # open items counted each time
COUNT_SECONDS = 30  # how old the number may be where there are more
HOLDERS = 50
EXAMPLES = 3
ANSWERS = (Verification.Action.CONFIRM, Verification.Action.SKIP, Verification.Action.FLAG)
UNDOABLE = (*ANSWERS, Verification.Action.MOVE)


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
    done_today: int

    @property
    def share_done(self) -> int:
        total = self.done_today + self.open
        return round(100 * self.done_today / total) if total else 100


def _held_now(now: datetime) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(status=ReviewItem.Status.OPEN, lease_until__gte=now, holder__isnull=False)


@prepared
def _counts(*, user: int, midnight: datetime, now: datetime) -> QuerySet[User, tuple[int, int]]:
    """What the user has answered today, and what others hold."""
    done = answers_in_force(user).filter(created_at__gte=midnight)
    held = _held_now(now).exclude(holder=user)
    return User.objects.filter(pk=user).values_list(Subquery(counted(done)), Subquery(counted(held)))


def holders(user: User) -> list[Held]:
    """Who holds what of the mail that `user` may see, who is through first first."""
    rows = (
        visible(_held_now(timezone.now()), user, "email__department")
        .order_by("lease_until")
        .values_list("pk", "holder__username", "lease_until")
    )
    return [Held(*row) for row in rows[:HOLDERS]]


def queue_state(*, user: User, exact: bool = True) -> QueueState:
    """`exact`: what others hold is counted within the queues that are the user's to work, and when it comes free."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    now = timezone.now()
    [(done, held)] = _counts(user=user.pk, midnight=midnight, now=now)
    if not exact:
        return QueueState(open_count(user, done), held, None, done)
    others = _held_now(now).exclude(holder=user).order_by()
    theirs = workable(user).filter(pk__in=others.values("pk")).order_by()
    found = theirs.aggregate(n=Count("pk"), free=Min("lease_until"))
    return QueueState(open_count(user, done), found["n"], found["free"], done)


def open_count(user: User, done_today: int = 0) -> int:
    """How many items are open to `user`: exact up to COUNTED, beyond that some seconds old, less what they did since."""
    theirs = allowed(user)
    key = f"open-items-{md5(str(theirs).encode(), usedforsecurity=False).hexdigest()}"
    if (known := cache.get(key)) is None:
        counted = workable(user).order_by()[: COUNTED + 1].count()
        if counted <= COUNTED:
            return counted
        known = ReviewItem.objects.filter(theirs, status=ReviewItem.Status.OPEN).count(), timezone.now().isoformat()
        cache.set(key, known, COUNT_SECONDS)
    many, at = known
    done_then = cache.get_or_set(f"done-{user.pk}-{at}", done_today, COUNT_SECONDS) or 0
    return max(many - max(done_today - done_then, 0), 0)


def answers_in_force(user: User | int) -> QuerySet[Verification]:
    """The answers of a reviewer in the queue that nothing has superseded."""
    return Verification.objects.filter(
        reviewer=user, item__isnull=False, superseded_by__isnull=True, action__in=ANSWERS
    )


def undoable(*, user: User) -> list[Verification]:
    """The reviewer's answers in force among their last 20 of the last day, the newest first: those may be taken back."""
    since = timezone.now() - UNDO_SPAN
    given = Verification.objects.filter(reviewer=user, item__isnull=False, action__in=UNDOABLE, created_at__gte=since)
    last = _reachable(given, user).select_related(
        "email", "item", "prediction__subtype", "subtype__merged_into", "moved_from", "moved_to", "superseded_by"
    )
    last = last.order_by("-pk")[:UNDO_LIMIT]
    return [v for v in last if not hasattr(v, "superseded_by")]


def _reachable(given: QuerySet[Verification], user: User) -> QuerySet[Verification]:
    """Answers whose email `user` may see, or moved away themselves, and that can be shown at once."""
    moves = Q(action=Verification.Action.MOVE)
    departments = departments_of(user)
    mine = Q() if departments is None else Q(email__department__in=departments) | moves
    return given.filter(mine).filter(Q(email__prediction__isnull=False) | moves)


def can_undo(*, user: User) -> bool:
    since = timezone.now() - UNDO_SPAN
    last = Verification.objects.filter(reviewer=user, item__isnull=False, action__in=UNDOABLE, created_at__gte=since)
    last = _reachable(last, user)
    return any(one is None for one in last.order_by("-pk").values_list("superseded_by", flat=True)[:UNDO_LIMIT])


def examples_of(subtype: Subtype, *, without: int | None = None) -> list[str]:
    """Up to three emails that show a subtype: those written for it, then the newest that people gave it."""
    own = subtype.example_texts[:EXAMPLES]
    answers = confirmed(Verification.objects.filter(subtype=subtype, email__subtype=subtype)).exclude(email=without)
    emails = Email.objects.filter(pk__in=list(answers.order_by("-pk").values_list("email", flat=True)[: 2 * EXAMPLES]))
    shown = [f"{e.subject}. {e.body[:300]}".strip(". ") for e in emails.order_by("-pk")]
    return [*own, *dict.fromkeys(shown)][:EXAMPLES]
