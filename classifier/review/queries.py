"""What the review pages show: the queue's state, who holds what, a person's day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone

from classifier.models import ReviewItem, Verification
from classifier.review.leases import workable
from reviewdesk.people.models import User

UNDO_LIMIT = 20


@dataclass(frozen=True)
class QueueState:
    """Counts of the open queue as one reviewer sees it."""

    open: int
    held_by_others: int
    next_free_at: datetime | None
    holders: list[tuple[str, int]]
    done_today: int

    @property
    def share_done(self) -> int:
        total = self.done_today + self.open
        return round(100 * self.done_today / total) if total else 100


def queue_state(*, user: User) -> QueueState:
    now = timezone.now()
    held = Q(lease_until__gte=now) & ~Q(holder=user)
    counts = (
        workable(user)
        .order_by()
        .aggregate(n=Count("pk"), others=Count("pk", filter=held), free=Min("lease_until", filter=held))
    )
    holders = (
        ReviewItem.objects.filter(status=ReviewItem.Status.OPEN, lease_until__gte=now, holder__isnull=False)
        .values_list("holder__username")
        .annotate(n=Count("pk"))
        .order_by("holder__username")
    )
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    done = answers_in_force(user).filter(created_at__gte=midnight).count()
    return QueueState(counts["n"], counts["others"], counts["free"], list(holders[:20]), done)


def answers_in_force(user: User):
    """The answers of a reviewer in the queue that nothing has superseded."""
    return Verification.objects.filter(
        reviewer=user,
        item__isnull=False,
        superseded_by__isnull=True,
        action__in=[Verification.Action.CONFIRM, Verification.Action.SKIP, Verification.Action.FLAG],
    )


def last_undoable(*, user: User) -> Verification | None:
    """The reviewer's latest answer that may still be taken back: one of the last 20, of the last day."""
    since = timezone.now() - timedelta(days=1)
    undone = Verification.objects.filter(reviewer=user, action=Verification.Action.UNDO, created_at__gte=since)
    latest = answers_in_force(user).filter(created_at__gte=since).order_by("-id").first()
    if latest is None or undone.filter(pk__gt=latest.pk).count() >= UNDO_LIMIT:
        return None
    return latest
