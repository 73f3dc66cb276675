"""The accuracy figure: random samples only, always with its interval and n."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count

from classifier.accuracy.estimates import (
    DEPARTMENT_WEEKS,
    Alarm,
    Proportion,
    Stratum,
    alarm,
    department_alarm,
    pooled,
    weighted,
)
from classifier.accuracy.sampling import ALL, sample_plan, sampled_from
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
        """Closed, so that no answer is to come: only such weeks raise an alert."""
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


def weeks(*, last: int = WEEKS) -> list[Week]:
    """The latest weekly samples, newest first."""
    found: dict[date, list[SampleDraw]] = {}
    for draw in SampleDraw.objects.order_by("-week", "round"):
        if draw.week not in found and len(found) == last:
            break
        found.setdefault(draw.week, []).append(draw)
    return [week_of(draws) for draws in found.values()]


def week_of(draws: Sequence[SampleDraw]) -> Week:
    """Compare reviewers' answers with the predictions that were drawn; agents' corrections never count."""
    items = ReviewItem.objects.filter(draw__in=draws).select_related("prediction__subtype", "prediction__model_version")
    said = {i.email_id: i.prediction for i in items}
    below, sizes = _whole_population(draws[0])
    return Week(draws, len(said), judged(said), below, sizes)


def _whole_population(draw: SampleDraw) -> tuple[list[Judged], Counter]:
    """The emails under the threshold if each was verified, else none, and how many emails there are of which kind."""
    emails = sampled_from(draw.since, draw.until)
    kinds = emails.values_list("prediction__department", "prediction__model_version", "prediction__withheld")
    sizes = Counter(
        {(department, version, under): n for department, version, under, n in kinds.annotate(n=Count("pk")).order_by()}
    )
    wanted = sum(n for (_, _, under), n in sizes.items() if under)
    if not wanted or emails.filter(prediction__withheld=True, verification=None).exists():
        return [], sizes
    said = Prediction.objects.filter(pk__in=emails.filter(prediction__withheld=True).values("prediction"))
    below = judged({p.email_id: p for p in said.select_related("subtype", "model_version")})
    return (below if len(below) == wanted else []), sizes


@dataclass(frozen=True)
class DepartmentFigure:
    department: Department
    figure: Proportion
    alarm: Alarm | None


def by_department(found: Sequence[Week]) -> list[DepartmentFigure]:
    """The last four weeks pooled, a department each; an alarm by the confidence that so many comparisons ask for."""
    departments = list(Department.objects.filter(active=True))
    bar, rows = sample_plan().bar, []
    for department in departments:
        strata = [week.strata(department=department.pk) for week in found[:DEPARTMENT_WEEKS]]
        raised = department_alarm(strata, bar=bar, departments=len(departments))
        rows.append(DepartmentFigure(department, weighted(pooled(strata)), raised))
    return rows


def by_version(found: Sequence[Week]) -> list[tuple[str, Proportion]]:
    """Of each version in the sampled weeks, the newest first: never mixed with another's."""
    versions = {j.said.model_version_id: j.said.model_version for week in found for j in week.judged}
    return [
        (versions[pk].version, weighted(pooled([w.strata(version=pk) for w in found if _used(w, pk)])))
        for pk in sorted(versions, reverse=True)
    ]


def current_alarm(found: Sequence[Week], *, version: int, bar: float) -> Alarm | None:
    """The alert that the latest closed weeks of one version raise; weeks before its promotion do not count."""
    own: list[list[Stratum]] = []
    for week in found:
        if not week.done:
            continue
        if not _used(week, version):
            break
        own.append(week.strata(version=version))
    return alarm(own, bar=bar)


def _used(week: Week, version: int) -> bool:
    return any(j.said.model_version_id == version for j in week.judged)
