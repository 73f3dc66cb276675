"""Draws the random samples, reminds of them, and closes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from secrets import randbits

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from classifier.models import Email, ReviewItem, SampleDraw, SamplePlan, Source
from classifier.review.opening import give_back, open_for_sample
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

SAMPLE_DAYS = 7
OPEN_DAYS = 14  # after which what is unanswered is taken out of the queue
LEAST_A_DEPARTMENT = 5
ALL = "all"


def sample_plan() -> SamplePlan:
    return SamplePlan.objects.first() or SamplePlan()


def sample_size() -> int:
    return sample_plan().size or settings.WEEKLY_SAMPLE


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def sampled_from(since: datetime, until: datetime) -> QuerySet[Email]:
    """The emails that a sample of these days is drawn from: classified then, written by a person, without a gold label."""
    return Email.objects.filter(
        prediction__created_at__gte=since, prediction__created_at__lt=until, automatic=""
    ).exclude(verification__source=Source.GOLD)


def draw_weekly_sample(
    *, size: int | None = None, today: date | None = None, seed: int | None = None
) -> SampleDraw | None:
    """Draw from the last seven days' emails, once a calendar week; None when that was done or nothing came in.

    Days that an earlier week's sample was drawn from are left out. Each email carries the probability with which it
    was drawn. Emails that a reviewer has verified already count with that answer; open ones become part of the
    sample. The same seed draws the same emails.
    """
    week = monday(today or timezone.localdate())
    if SampleDraw.objects.filter(week=week).exists():
        return None
    until = timezone.now()
    since = until - timedelta(days=SAMPLE_DAYS)
    before = SampleDraw.objects.order_by("-until").first()
    if before is not None:
        since = max(since, before.until)
    return _draw(_Wanted(week, 1, since, until, size or sample_size(), sample_plan().design, seed))


def draw_now(*, by: User, after: int | None) -> SampleDraw:
    """What an admin asks for: the first sample of this week, or another round of the latest.

    `after` is the latest draw that they saw, None for none: a second click draws nothing. Raises Conflict for that
    and where every email of the week is in the sample already, DeskError where there is no mail.
    """
    last = SampleDraw.objects.order_by("-week", "-round").first()
    if (last.pk if last else None) != after:
        raise Conflict("A sample was drawn since you opened the page; look at it first.")
    with transaction.atomic():
        draw = draw_weekly_sample()
        if draw is None and last is None:
            raise DeskError("No email of the last seven days is classified yet; there is nothing to draw from.")
        if draw is None and last is not None:
            draw = _draw(
                _Wanted(last.week, last.round + 1, last.since, last.until, sample_size(), last.design, None, last.sizes)
            )
        if draw is None:
            raise Conflict("Every email of that week is in the sample already, or somebody drew at the same moment.")
        record(action="draw sample", target=draw, actor=by, size=draw.size, week=str(draw.week), round=draw.round)
    return draw


@dataclass(frozen=True)
class _Wanted:
    week: date
    round: int
    since: datetime
    until: datetime
    size: int
    design: str
    seed: int | None
    sizes: Sequence[Sequence] = ()  # of the first round


def _draw(wanted: _Wanted) -> SampleDraw | None:
    left = sampled_from(wanted.since, wanted.until).exclude(review_items__draw__isnull=False)
    strata = _strata(left, wanted.design)
    total = sum(map(len, strata.values()))
    if total == 0:
        return None
    seed = randbits(32) if wanted.seed is None else wanted.seed
    shares = _allocate({name: len(ids) for name, ids in strata.items()}, wanted.size)
    dice = Random(seed)
    chosen = {pk: name for name, ids in sorted(strata.items()) for pk in dice.sample(ids, shares[name])}
    try:
        with transaction.atomic():
            draw = SampleDraw.objects.create(
                week=wanted.week, round=wanted.round, population=total, size=len(chosen), design=wanted.design,
                seed=seed, since=wanted.since, until=wanted.until, sizes=wanted.sizes or _sizes(left),
            )  # fmt: skip
            of_week = ReviewItem.objects.filter(draw__week=wanted.week)
            earlier = Counter(dict(of_week.values_list("stratum").annotate(n=Count("email", distinct=True)).order_by()))
            odds = {s: (earlier[s] + shares[s]) / (earlier[s] + len(ids)) for s, ids in strata.items()}
            for name in earlier.keys() & odds.keys():  # whether by this round or by an earlier one
                of_week.filter(stratum=name).update(sampling_probability=odds[name])
            for email in Email.objects.filter(pk__in=chosen).select_related("prediction", "department"):
                open_for_sample(email, draw=draw, stratum=chosen[email.pk], probability=odds[chosen[email.pk]])
    except IntegrityError:  # another process drew it at the same moment
        return None
    return draw


def _sizes(emails: QuerySet[Email]) -> list[list]:
    """How many there are of each kind, as `SampleDraw.sizes`."""
    kinds = emails.values_list("prediction__department", "prediction__model_version", "prediction__withheld")
    return [list(row) for row in kinds.annotate(n=Count("pk")).order_by()]


def _strata(emails: QuerySet[Email], design: str) -> dict[str, list[int]]:
    """Numbers of the emails, ascending, by stratum."""
    found: dict[str, list[int]] = {}
    for pk, department in emails.order_by("pk").values_list("pk", "department__slug"):
        found.setdefault(department if design == SamplePlan.Design.DEPARTMENT else ALL, []).append(pk)
    return found


def _allocate(populations: dict[str, int], size: int) -> dict[str, int]:
    """How many to draw of each: LEAST_A_DEPARTMENT each, where there are as many, the rest by what is left of them.

    >>> _allocate({"a": 900, "b": 98, "c": 2}, 100)
    {'a': 85, 'b': 13, 'c': 2}
    """
    least = min(LEAST_A_DEPARTMENT, size // max(len(populations), 1))
    given = {name: min(n, least) for name, n in populations.items()}
    left = {name: n - given[name] for name, n in populations.items()}
    free, rest = max(size - sum(given.values()), 0), sum(left.values())
    exact = {name: min(free, rest) * n / rest if rest else 0 for name, n in left.items()}
    given = {name: given[name] + int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda n: int(exact[n]) - exact[n]):  # the largest remainders
        if sum(given.values()) < min(size, sum(populations.values())) and given[name] < populations[name]:
            given[name] += 1
    return given


def close_draws(*, now: datetime | None = None) -> list[SampleDraw]:
    """Close the draws that are answered whole or older than OPEN_DAYS.

    What is left of those leaves the queue, but for what waits for a person anyway: that goes back to where it was.
    """
    now = now or timezone.now()
    closed = []
    for draw in SampleDraw.objects.filter(closed_at=None):
        waiting = ReviewItem.objects.filter(draw=draw, status=ReviewItem.Status.OPEN)
        over = draw.created_at < now - timedelta(days=OPEN_DAYS)
        if waiting.exists() and not over:
            continue
        with transaction.atomic():
            give_back(waiting, taker=Source.WEEKLY)
            draw.closed_at = now
            draw.save(update_fields=["closed_at"])
        closed.append(draw)
    return closed
