"""Who holds which review item: claimed by one conditional UPDATE, renewed by heartbeat."""

from datetime import datetime
from secrets import token_hex

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from classifier.models import Email, ReviewItem, Verification
from classifier.review.queues import allowed, lease_time
from classifier.visibility import visible
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict
from reviewdesk.people.models import User
from reviewdesk.prepared import prepared, prepared_update

ATTEMPTS = 50


def workable(user: User) -> QuerySet[ReviewItem]:
    """Open items that `user` may answer, best first: classified, in a queue that is theirs to work, not skipped by
    them, and where answers are compared, of an email they have not answered yet.
    """
    return _workable(allowed(user), user.pk)


def _workable(theirs: Q, user: int) -> QuerySet[ReviewItem]:
    given = Verification.objects.filter(email=OuterRef("email"), reviewer=user, superseded_by__isnull=True)
    skipped = given.filter(item=OuterRef("pk"), action=Verification.Action.SKIP)
    answered = given.filter(item__isnull=False, action=Verification.Action.CONFIRM)
    items = ReviewItem.objects.filter(theirs, status=ReviewItem.Status.OPEN, email__prediction__isnull=False)
    items = items.exclude(Exists(skipped)).exclude(Q(independent=True) & Exists(answered))
    return items.order_by("-priority", "position", "id")


def free(now: datetime) -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lt=now)


@prepared
def _best_free(theirs: Q, *, user: int, now: datetime) -> QuerySet[ReviewItem]:
    return _workable(theirs, user).filter(free(now))[:1]


def claim_next(*, user: User, holds_nothing: bool = False) -> ReviewItem | None:
    """What `user` holds already, else the best free item, held for them from now on.

    None when every item is done or held by others. `holds_nothing`: they have just answered what they held.
    """
    held = None if holds_nothing else held_by(user)
    if held is not None:
        return _renewed(held, user)
    for _ in range(ATTEMPTS):
        now = timezone.now()
        best = next(iter(_best_free(allowed(user), user=user.pk, now=now)), None)
        if best is None or _claim(best, user, now):
            return best
    return None


def claim(*, item: ReviewItem, user: User) -> bool:
    """Hold this very item, if it is free and theirs to work."""
    now = timezone.now()
    return workable(user).filter(pk=item.pk).exists() and _claim(item, user, now)


def _claim(item: ReviewItem, user: User, now: datetime) -> bool:
    lease, until = token_hex(16), now + lease_time(item.source)
    if not _hold(item=item.pk, user=user.pk, lease=lease, now=now, until=until):
        return False
    item.holder, item.lease, item.lease_until, item.claimed_at = user, lease, until, now
    record(action="claim", target=item, actor=user, email=item.email_id)
    return True


@prepared_update
def _hold(*, item: int, user: int, lease: str, now: datetime, until: datetime) -> tuple[QuerySet, dict]:
    hold = {"holder": user, "lease": lease, "lease_until": until, "claimed_at": now}
    return ReviewItem.objects.filter(free(now), pk=item, status=ReviewItem.Status.OPEN), hold


def held(*, item: int, user: int, lease: str, now: datetime) -> QuerySet[ReviewItem]:
    """The item, as long as `user` holds it under this very lease."""
    return ReviewItem.objects.filter(
        pk=item, status=ReviewItem.Status.OPEN, holder=user, lease=lease, lease_until__gte=now
    )


def held_by(user: User) -> ReviewItem | None:
    """The item that `user` holds under a live lease."""
    held = ReviewItem.objects.filter(
        holder=user, status=ReviewItem.Status.OPEN, lease_until__gte=timezone.now(), email__prediction__isnull=False
    )
    return visible(held, user, "email__department").order_by("claimed_at").first()


def _renewed(item: ReviewItem, user: User) -> ReviewItem:
    item.lease_until = heartbeat(item=item, user=user, lease=item.lease)
    return item


def heartbeat(*, item: ReviewItem, user: User, lease: str) -> datetime:
    """Prolong a live lease; returns its new end. Raises Conflict when it is no longer yours."""
    now = timezone.now()
    until = now + lease_time(item.source)
    if not held(item=item.pk, user=user.pk, lease=lease, now=now).update(lease_until=until):
        raise refusal(item=item, user=user, lease=lease)
    return until


def release_all_of(email: Email) -> None:
    """Nobody holds a review of this email any more, in the caller's transaction."""
    ReviewItem.objects.filter(email=email, status=ReviewItem.Status.OPEN).update(
        holder=None, lease="", lease_until=None
    )


def release(*, item: ReviewItem, user: User, lease: str) -> None:
    """Give an item back. Raises Conflict when it is no longer yours."""
    mine = ReviewItem.objects.filter(pk=item.pk, holder=user, lease=lease, status=ReviewItem.Status.OPEN)
    if not mine.update(holder=None, lease="", lease_until=None):
        raise refusal(item=item, user=user, lease=lease)


def release_for(*, item: ReviewItem, by: User) -> None:
    """An admin takes an item from whoever holds it; their answer will be refused, and stays on their screen."""
    held = ReviewItem.objects.select_related("holder").filter(pk=item.pk, status=ReviewItem.Status.OPEN)
    holder = held.values_list("holder__username", flat=True).first()
    if not held.exclude(holder=None).update(holder=None, lease="", lease_until=None):
        raise Conflict("Nobody holds this email any more.", code="already_done")
    record(action="release", target=item.email, actor=by, item=item.pk, holder=holder)


def refusal(*, item: ReviewItem, user: User, lease: str) -> Conflict:
    """Why a lease does not hold: `already_done`, `held_by_other` or `lease_expired`."""
    now = ReviewItem.objects.select_related("holder").filter(pk=item.pk).first()
    if now is None:
        return Conflict("There is no such review any more.", code="already_done")
    if now.status == ReviewItem.Status.DONE:
        return Conflict("Somebody has answered this email already.", code="already_done")
    if now.holder_id not in (None, user.pk) and now.lease_until and now.lease_until > timezone.now():
        return Conflict(f"{now.holder} holds this email now.", code="held_by_other")
    return Conflict("Your hold on this email has run out.", code="lease_expired")
