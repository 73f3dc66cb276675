"""The accuracy figure: random samples only, always with its interval and n."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from classifier.accuracy.estimates import DEPARTMENT_WEEKS, Proportion, Stratum, pooled, weighted
from classifier.accuracy.sampling import ALL, sampled_from
from classifier.judging import Judged, judged
from classifier.models import Department, Prediction, ReviewItem, SampleDraw, SamplePlan

WEEKS = 12
BELOW = "under the threshold"


@dataclass(frozen=True)
class Week:
    """The draws of one week, the first round first, and what people answered."""

    draws: Sequence[SampleDraw]
    drawn: int
    judged: Sequence[Judged]
    below: Sequence[Judged]  # of the emails under the threshold, where every one was verified
    sizes: Counter  # population by (department, version, under the threshold)

    @property
    def week(self) -> date:
        return self.draws[0].week

    @property
    def done(self) -> bool:
        """Closed, so that no answer counts any more."""
        return all(draw.closed_at for draw in self.draws)

    @property
    def population(self) -> int:
        return self.draws[0].population

    @property
    def blind(self) -> int:
        """Of the answers, how many were given without seeing the model's."""
        return sum(j.answer.blind for j in self.judged)

    @property
    def covered(self) -> bool:
        return bool(self.below)

    @property
    def subtype(self) -> Proportion:
        return weighted(self.strata())

    @property
    def type(self) -> Proportion:
        return weighted(self.strata(of_type=True))

    def strata(
        self, *, of_type: bool = False, department: int | None = None, version: int | None = None
    ) -> list[Stratum]:
        """The counts by stratum: of all, of one department, or of the emails that one version classified."""
        by_department = self.draws[0].design == SamplePlan.Design.DEPARTMENT and department is None

        def name(j: Judged) -> tuple[str, bool]:
            own = str(j.said.department_id) if by_department else ALL
            return own, self.covered and j.said.withheld

        def wanted(judged: Iterable[Judged]) -> list[Judged]:
            return [
                j for j in judged
                if department in (None, j.said.department_id) and version in (None, j.said.model_version_id)
                and (of_type or j.decides_subtype)
            ]  # fmt: skip

        sizes: Counter = Counter()
        for (of, by, under), size in self.sizes.items():
            if department in (None, of) and version in (None, by):
                sizes[str(of) if by_department else ALL, self.covered and under] += size
        sampled = [j for j in wanted(self.judged) if not (self.covered and j.said.withheld)]
        n: Counter = Counter()
        correct: Counter = Counter()
        for j in [*sampled, *wanted(self.below)]:
            n[name(j)] += 1
            correct[name(j)] += j.right_type if of_type else j.right
        return [
            Stratum(f"{own}, {BELOW}" if under else own, size, n[own, under], correct[own, under], covered=under)
            for (own, under), size in sizes.items()
        ]


def weeks(*, last: int = WEEKS, closed: bool = False) -> list[Week]:
    """The latest weekly samples, newest first; `closed` for the draws that no answer changes any more."""
    found: dict[date, list[SampleDraw]] = {}
    draws = SampleDraw.objects.filter(closed_at__isnull=False) if closed else SampleDraw.objects.all()
    for draw in draws.order_by("-week", "round"):
        if draw.week not in found and len(found) == last:
            break
        found.setdefault(draw.week, []).append(draw)
    return [week_of(draws) for draws in found.values()]


def week_of(draws: Sequence[SampleDraw]) -> Week:
    """Compare reviewers' answers with the predictions that were drawn.

    Of a closed draw the answers by then count alone: later ones are to what was hard enough to stay in the queue.
    """
    found: list[Judged] = []
    drawn = 0
    items = ReviewItem.objects.filter(draw__in=draws).select_related("prediction__subtype", "prediction__model_version")
    for draw in draws:
        said = {i.email_id: i.prediction for i in items if i.draw_id == draw.pk}
        found += judged(said, until=draw.closed_at)
        drawn += len(said)
    sizes = Counter({(department, version, under): n for department, version, under, n in draws[0].sizes})
    return Week(draws, drawn, found, _below(draws[0], sizes), sizes)


def _below(draw: SampleDraw, sizes: Counter) -> list[Judged]:
    """The emails under the threshold, if each of them was verified, else none."""
    wanted = sum(n for (_, _, under), n in sizes.items() if under)
    emails = sampled_from(draw.since, draw.until).filter(prediction__withheld=True)
    if not wanted or emails.filter(verification=None).exists():
        return []
    said = Prediction.objects.filter(pk__in=emails.values("prediction")).select_related("subtype", "model_version")
    found = judged({p.email_id: p for p in said})
    return found if len(found) == wanted else []


def by_department(found: Sequence[Week], *, version: int) -> list[tuple[Department, Proportion]]:
    """Of one version, its last four weeks pooled."""
    own = evaluated(found, version)[:DEPARTMENT_WEEKS]
    return [
        (department, weighted(pooled([week.strata(department=department.pk, version=version) for week in own])))
        for department in Department.objects.filter(active=True)
    ]


def by_version(found: Sequence[Week]) -> list[tuple[str, Proportion]]:
    """Of each version in the sampled weeks, the newest first: never mixed with another's."""
    versions = {j.said.model_version_id: j.said.model_version for week in found for j in week.judged}
    return [
        (versions[pk].version, weighted(pooled([w.strata(version=pk) for w in found if _used(w, pk)])))
        for pk in sorted(versions, reverse=True)
    ]


def evaluated(found: Sequence[Week], version: int) -> list[Week]:
    """The latest weeks with answers about one version, back to where there were answers about others alone."""
    own = []
    for week in found:
        if week.judged and not _used(week, version):
            break
        if week.judged:
            own.append(week)
    return own


def _used(week: Week, version: int) -> bool:
    return any(j.said.model_version_id == version for j in week.judged)
