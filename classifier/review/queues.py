"""The review queues and their settings: who may work them, in what order, held for how long."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F, FloatField, Q
from django.db.models.functions import Cast
from django.utils import timezone

from classifier.models import DEFAULTS, Department, Prediction, ReviewItem, ReviewQueue, Source
from classifier.visibility import departments_of, visible
from reviewdesk.audit.services import record
from reviewdesk.backends import Remembered
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ADMIN, User

SETTINGS_SECONDS = 2.0  # after which a change holds in every process
COPY_STEP = 0.1  # how far a near-copy steps back for each one that is open before it
PREVIEW_DAYS = 7
SETTINGS = ("active", "priority", "order", "reviews", "blind", "lease_minutes", "overlap_share")


def _read() -> dict[str, ReviewQueue]:
    return {q.source: q for q in ReviewQueue.objects.prefetch_related("departments", "people")}


_stored = Remembered(_read, seconds=SETTINGS_SECONDS)


def queue_of(source: str) -> ReviewQueue:
    """The settings of a queue, by default those of the code; such a one is not stored."""
    return _stored.get().get(source) or ReviewQueue(source=source, **DEFAULTS[source])


def queues() -> list[ReviewQueue]:
    """All queues, the most urgent first."""
    known = _read()
    found = [known.get(source) or ReviewQueue(source=source, **fields) for source, fields in DEFAULTS.items()]
    return sorted(found, key=lambda q: -q.priority)


def lease_time(source: str) -> timedelta:
    minutes = queue_of(source).lease_minutes
    return timedelta(minutes=minutes) if minutes else timedelta(seconds=settings.LEASE_SECONDS)


def allowed(user: User) -> Q:
    """Which items the settings of the queues let `user` work; flagged ones wait for an admin or those named for them."""
    closed = Q()
    admins_only = ADMIN not in user.roles
    for queue in _stored.get().values():
        people = {p.pk for p in queue.people.all()}
        departments = [d.pk for d in queue.departments.all()]
        if queue.source == Source.FLAGGED and user.pk in people:
            admins_only = False
        if not queue.active or (people and user.pk not in people):
            closed |= Q(source=queue.source)
        elif departments:
            closed |= Q(source=queue.source) & ~Q(email__department__in=departments)
    theirs = departments_of(user)
    seen = ~closed if theirs is None else ~closed & Q(email__department__in=theirs)
    return seen & Q(flagged=False) if admins_only else seen


def position(order: str, item: ReviewItem) -> float:
    """Where an item stands within its priority; smaller is sooner."""
    if order == ReviewQueue.Order.RANDOM:
        return item.lottery
    return item.pk / 1e9 if order == ReviewQueue.Order.OLDEST else item.margin + COPY_STEP * item.copies


def _reorder(queue: ReviewQueue) -> int:
    """Put the open items of a queue in its order, by one UPDATE."""
    places = {
        ReviewQueue.Order.RANDOM: F("lottery"),
        ReviewQueue.Order.OLDEST: Cast("pk", FloatField()) / 1e9,
        ReviewQueue.Order.MARGIN: F("margin") + COPY_STEP * F("copies"),
    }
    items = ReviewItem.objects.filter(source=queue.source, status=ReviewItem.Status.OPEN, flagged=False)
    if queue.source == Source.FLAGGED:
        items = ReviewItem.objects.filter(flagged=True, status=ReviewItem.Status.OPEN)
    return items.update(priority=queue.priority, position=places[ReviewQueue.Order(queue.order)])


def change_queue(
    *, source: str, by: User, departments: Collection[Department], people: Collection[User], **fields: object
) -> ReviewQueue:
    """Store a queue's settings. Raises DeskError naming each one that is out of range."""
    if source not in DEFAULTS:
        raise DeskError(f"queue is {source!r}; allowed: {', '.join(DEFAULTS)}")
    queue = _read().get(source) or ReviewQueue(source=source, **DEFAULTS[source])
    before = {name: getattr(queue, name) for name in SETTINGS}
    for name, value in fields.items():
        setattr(queue, name, value)
    try:
        queue.full_clean(validate_unique=False)
    except ValidationError as error:
        said = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
        raise DeskError(said, fields=error.message_dict) from None
    with transaction.atomic():
        queue.save()
        queue.departments.set(departments)
        queue.people.set(people)
        _reorder(queue)
        after = {name: getattr(queue, name) for name in SETTINGS}
        changed = {n: [before[n], after[n]] for n in SETTINGS if before[n] != after[n]}
        record(
            action="change queue", target=queue, actor=by, queue=source, changed=changed,
            departments=[d.slug for d in departments], people=[p.username for p in people],
        )  # fmt: skip
        _stored.forget()
        transaction.on_commit(_stored.forget)
    return queue


def set_threshold(*, department: Department, threshold: float | None, by: User) -> None:
    """Under which subtype confidence a department's mail goes to review; None: under the desk's own."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise DeskError(f"threshold is {threshold}; allowed: 0 to 1", fields={"threshold": ["is out of range"]})
    with transaction.atomic():
        before = department.review_threshold
        Department.objects.filter(pk=department.pk).update(review_threshold=threshold)
        record(action="set threshold", target=department, actor=by, before=before, after=threshold)


@dataclass(frozen=True)
class Preview:
    """How many of a department's `n` emails of the last week lie under a threshold."""

    department: Department
    threshold: float
    n: int
    under: int

    @property
    def share(self) -> float:
        return self.under / self.n if self.n else 0.0


def preview(*, department: Department, threshold: float) -> Preview:
    """By the predictions in force on the mail of the last seven days, whatever threshold they were made under."""
    since = timezone.now() - timedelta(days=PREVIEW_DAYS)
    recent = Prediction.objects.filter(email__prediction=F("pk"), department=department, created_at__gte=since)
    counts = recent.filter(email__automatic="", email__unreadable="").aggregate(
        n=Count("pk"), under=Count("pk", filter=Q(subtype_confidence__lt=threshold) | Q(subtype=None))
    )
    return Preview(department, threshold, counts["n"], counts["under"])


def previews(departments: Sequence[Department]) -> list[Preview]:
    own = settings.REVIEW_THRESHOLD
    return [
        preview(department=d, threshold=own if d.review_threshold is None else d.review_threshold) for d in departments
    ]


def open_counts(user: User) -> dict[str, int]:
    """Open items that `user` may see by queue; flagged ones stand in the flagged queue."""
    items = visible(ReviewItem.objects.filter(status=ReviewItem.Status.OPEN), user, "email__department")
    counts = items.values_list("source", "flagged")
    found: dict[str, int] = {}
    for source, flagged, n in counts.annotate(n=Count("pk")).order_by():
        queue = Source.FLAGGED if flagged else source
        found[queue] = found.get(queue, 0) + n
    return found
