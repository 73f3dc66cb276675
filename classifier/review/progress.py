"""What reviewers get done: by person, queue and week, with the time an email takes, and how long the rest will."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from django.utils import timezone

from classifier.models import ReviewQueue, Verification
from classifier.review.queues import open_counts, queues
from classifier.visibility import visible
from reviewdesk.people.models import User

WEEKS = 8
MOST = 100_000
DEFAULT_SECONDS = 20.0  # where nobody has answered anything yet


@dataclass(frozen=True)
class PersonWeek:
    """`seconds` is the median time of work an email, without idle time; None where no page measured it."""

    week: date
    person: str
    queue: str
    answered: int
    seconds: float | None


@dataclass(frozen=True)
class QueueLoad:
    """An open queue, the median seconds an email takes in it, and the hours one person needs to empty it."""

    queue: ReviewQueue
    open: int
    seconds: float
    measured: bool

    @property
    def hours(self) -> float:
        return self.open * self.seconds / 3_600


@dataclass(frozen=True)
class Progress:
    weeks: Sequence[date]
    rows: Sequence[PersonWeek]
    loads: Sequence[QueueLoad]

    @property
    def hours(self) -> float:
        return sum(load.hours for load in self.loads)

    def answered(self, week: date) -> int:
        return sum(r.answered for r in self.rows if r.week == week)

    def said(self, week: date) -> str:
        """Who answered how many, in words."""
        people: dict[str, int] = defaultdict(int)
        for row in self.rows:
            if row.week == week:
                people[row.person] += row.answered
        return ", ".join(f"{person} {n}" for person, n in sorted(people.items())) or "nobody"


def progress(user: User, *, today: date | None = None) -> Progress:
    """What reviewers got done on the mail that `user` may see."""
    today = today or timezone.localdate()
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    answers = Verification.objects.filter(
        item__isnull=False, superseded_by__isnull=True, created_at__date__gte=first, reviewer__isnull=False
    ).exclude(action__in=[Verification.Action.UNDO, Verification.Action.MOVE])
    answers = visible(answers, user, "email__department")
    groups: dict[tuple[date, str, str], list[float | None]] = defaultdict(list)
    by_queue: dict[str, list[float]] = defaultdict(list)
    for person, source, at, seconds in answers.order_by("-pk").values_list(
        "reviewer__username", "source", "created_at", "seconds"
    )[:MOST]:
        day = timezone.localtime(at).date()
        groups[day - timedelta(days=day.weekday()), person, source].append(seconds)
        if seconds:
            by_queue[source].append(seconds)
    named = {q.source: str(q) for q in queues()}
    rows = [
        PersonWeek(week, person, named.get(source, source), len(times), _median(times))
        for (week, person, source), times in groups.items()
    ]
    rows.sort(key=lambda r: (-r.week.toordinal(), r.person, r.queue))
    return Progress([first + timedelta(weeks=n) for n in range(WEEKS)], rows, _loads(by_queue, user))


def _median(times: Sequence[float | None]) -> float | None:
    known = [t for t in times if t]
    return median(known) if known else None


def _loads(by_queue: dict[str, list[float]], user: User) -> list[QueueLoad]:
    everything = [t for times in by_queue.values() for t in times]
    usual = median(everything) if everything else DEFAULT_SECONDS
    counts = open_counts(user)
    return [
        QueueLoad(
            queue, counts[queue.source], median(times) if (times := by_queue.get(queue.source)) else usual, bool(times)
        )
        for queue in queues()
        if counts.get(queue.source)
    ]
