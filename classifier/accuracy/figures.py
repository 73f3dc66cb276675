"""The figures beside accuracy: what came in, how sure the model was, what people corrected.

Each is a table whose rows lead to the emails behind them; `presenting` draws them. Accuracy by week, model and
confidence is of the whole desk; everything else is of the departments that the person may see.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import TruncDate

from classifier.accuracy.emails import NONE, answers_since, first_day, predicted
from classifier.accuracy.estimates import DEPARTMENT_WEEKS
from classifier.accuracy.queries import by_department, by_version, evaluated, weeks
from classifier.judging import LOW_CONFIDENCE, Judged
from classifier.labels import same_subtype
from classifier.models import AccuracyAlert, Email, EmailType, Verification
from classifier.registry.queries import PRODUCTION, aliases
from classifier.visibility import sees, visible
from ml.intervals import wilson_interval
from reviewdesk.backends import Remembered
from reviewdesk.people.models import User

SPANS = (7, 28, 90)  # days that may be looked at
BINS = 10
PAIRS = 15
_weeks = Remembered(weeks, seconds=2.0)  # several figures of one page rest on them
SAME = same_subtype("prediction__subtype", "subtype")


@dataclass(frozen=True)
class Row:
    """`link` is the query of the emails behind it."""

    cells: Sequence
    link: str = ""


@dataclass(frozen=True)
class Table:
    slug: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[Row]


def _emails(**query: object) -> str:
    return urlencode({key: value for key, value in query.items() if value not in (None, "")})


def _share(part: int, n: int) -> tuple[float | None, float, float]:
    return (part / n if n else None, *wilson_interval(part, n))


def _by_day(days: int, user: User) -> QuerySet:
    return predicted(first_day(days), user=user).annotate(day=TruncDate("created_at")).order_by("day").values("day")


def weekly(days: int, user: User) -> Table:
    """Accuracy week by week; it looks back twelve weeks, whatever `days` is."""
    rows = []
    for week in _weeks.get():
        s, t = week.subtype, week.type
        cells = (week.week, s.value, s.low, s.high, t.value, t.low, t.high, len(week.judged), week.drawn, week.blind)
        rows.append(Row(cells, _emails(week=week.week)))
    columns = (
        "Week of", "Subtype", "from", "to", "Type", "from", "to", "Answered", "Drawn", "Blind",
    )  # fmt: skip
    note = "Random samples, 95% intervals."
    if not any(week.judged for week in _weeks.get()):
        note += " None of their emails is answered yet."
    return Table("weekly", "Accuracy by week", note, columns, rows)


def departments(days: int, user: User) -> Table:
    """Of the model in production, with the alerts that are open."""
    serving = aliases().get(PRODUCTION)
    own = evaluated(_weeks.get(), serving.pk)[:DEPARTMENT_WEEKS] if serving else []
    below = set(AccuracyAlert.objects.filter(closed_at=None).values_list("department", flat=True))
    rows = [
        Row(
            (department.name, p.value, p.low, p.high, p.n, "below" if department.pk in below else ""),
            _emails(department=department.slug, version=serving, sampled=own[-1].week, answered=1),
        )
        for department, p in (by_department(own, version=serving.pk) if serving and own else [])
        if sees(user, department.pk)
    ]
    columns = ("Department", "Subtype", "from", "to", "n", "Alert")
    note = f"{serving or 'No model'} in production: its last four weekly samples pooled. "
    note += "An alert needs all of them and a bound that allows for so many departments."
    return Table("departments", "Accuracy by department", note, columns, rows)


def versions(days: int, user: User) -> Table:
    found = _weeks.get()
    rows = [
        Row((name, p.value, p.low, p.high, p.n), _emails(version=name, sampled=found[-1].week, answered=1))
        for name, p in by_version(found)
    ]
    columns = ("Model", "Subtype", "from", "to", "n")
    return Table("versions", "Accuracy by model", "Twelve weekly samples, each model alone.", columns, rows)


def calibration(days: int, user: User) -> Table:
    """Of the newest version in the samples: how often it is right at which confidence."""
    found = _weeks.get()
    judged = _of_newest_version([j for week in found for j in week.judged])
    name = judged[0].said.model_version.version if judged else ""
    bins: dict[int, list[Judged]] = defaultdict(list)
    for j in judged:
        if j.decides_subtype:
            bins[min(int(j.said.subtype_confidence * BINS), BINS - 1)].append(j)
    rows = []
    for i, own in sorted(bins.items()):
        mean = sum(j.said.subtype_confidence for j in own) / len(own)
        high = (i + 1) / BINS if i + 1 < BINS else None
        link = _emails(version=name, sampled=found[-1].week, answered=1, low=i / BINS, high=high)
        rows.append(Row((mean, *_share(sum(j.right for j in own), len(own)), len(own)), link))
    columns = ("Mean confidence", "Right", "from", "to", "n")
    title = f"Does the confidence of {name} hold?" if name else "Does the confidence hold?"
    return Table("calibration", title, "From the weekly samples.", columns, rows)


def _of_newest_version(judged: list[Judged]) -> list[Judged]:
    newest = max((j.said.model_version_id for j in judged), default=0)
    return [j for j in judged if j.said.model_version_id == newest]


def confusion(days: int, user: User) -> Table:
    """What people answered where the model had said something else, in every queue."""
    changed = _corrections(days, user).exclude(SAME)
    pairs = changed.values_list(
        "email__department__name", "email__department__slug", "prediction__subtype__name", "prediction__subtype__slug",
        "subtype__name", "subtype__slug",
    ).annotate(n=Count("pk"))  # fmt: skip
    rows = [
        Row(
            (department, said or "none", answered or "none", n),
            _emails(department=slug, said=said_slug or NONE, label=answered_slug or NONE, answers=days),
        )
        for department, slug, said, said_slug, answered, answered_slug, n in pairs.order_by("-n")[:PAIRS]
    ]
    columns = ("Department", "The model said", "People answered", "Emails")
    note = "From every queue, so no measure of accuracy: the queue of low confidence holds what is hard."
    return Table("confusion", "What is taken for what", note, columns, rows)


def _corrections(days: int, user: User) -> QuerySet[Verification]:
    return answers_since(first_day(days), user=user).filter(prediction__isnull=False)


def corrections(days: int, user: User) -> Table:
    """How often each person's answer was another than the model's."""
    counts = _corrections(days, user).values_list("reviewer__username").annotate(
        n=Count("pk"), changed=Count("pk", filter=~SAME), blind=Count("pk", filter=Q(blind=True))
    )  # fmt: skip
    rows = [
        Row((who or "unknown", n, changed, *_share(changed, n), blind), _emails(reviewer=who or NONE, answers=days))
        for who, n, changed, blind in counts.order_by("-n")
    ]
    columns = ("Person", "Answers", "Changed", "Share", "from", "to", "Blind")
    note = "A share far from the others', at equal mail, is worth a talk."
    return Table("corrections", "Reviewers' corrections", note, columns, rows)


def confidence(days: int, user: User) -> Table:
    found = _by_day(days, user).annotate(mean=Avg("subtype_confidence"), types=Avg("type_confidence"), n=Count("pk"))
    rows = [Row((r["day"], r["mean"], r["types"], r["n"]), _emails(day=r["day"])) for r in found]
    columns = ("Day", "Subtype", "Type", "Emails")
    return Table("confidence", "Mean confidence by day", "", columns, rows)


def low_confidence(days: int, user: User) -> Table:
    found = _by_day(days, user).annotate(
        n=Count("pk"), low=Count("pk", filter=Q(subtype_confidence__lt=LOW_CONFIDENCE)), withheld=Count("pk", filter=Q(withheld=True))
    )  # fmt: skip
    rows = [
        Row(
            (r["day"], *_share(r["low"], r["n"]), r["withheld"] / r["n"], r["n"]),
            _emails(day=r["day"], high=LOW_CONFIDENCE),
        )
        for r in found
    ]
    columns = ("Day", f"Under {LOW_CONFIDENCE}", "from", "to", "To review", "Emails")
    return Table("low-confidence", "Share of low confidence by day", "", columns, rows)


def volumes(days: int, user: User) -> Table:
    counts: dict = defaultdict(Counter)
    for day, kind, n in _by_day(days, user).values_list("day", "type").annotate(n=Count("pk")):
        counts[day][kind] += n
    rows = [
        Row((day, *(by[kind] for kind in EmailType.values)), _emails(day=day)) for day, by in sorted(counts.items())
    ]
    columns = ("Day", *(label for _, label in EmailType.choices))
    return Table("volumes", "Emails by type and day", "As the model sorted them.", columns, rows)


def by_departments(days: int, user: User) -> Table:
    kinds = {kind: Count("pk", filter=Q(type=kind)) for kind in EmailType.values}
    found = (
        predicted(first_day(days), user=user)
        .values_list("department__slug", "department__name")
        .annotate(n=Count("pk"), **kinds)
    )
    rows = [Row(cells, _emails(department=slug, classified=days)) for slug, *cells in found.order_by("-n")]
    columns = ("Department", "Emails", *(label for _, label in EmailType.choices))
    return Table("volume-by-department", "Emails by department", "", columns, rows)


def errors(days: int, user: User) -> Table:
    """Mail that something was wrong with, by what."""
    counts = visible(Email.objects.filter(created_at__gte=first_day(days)), user).exclude(unreadable="")
    labels = dict(Email.Unreadable.choices)
    found = counts.values_list("unreadable").annotate(n=Count("pk")).order_by("-n")
    rows = [Row((labels[kind], n), _emails(unreadable=kind, received=days)) for kind, n in found]
    return Table(
        "errors", "Mail that could not be read", "It goes to review, whatever the model says.", ("What", "Emails"), rows
    )


FIGURES: dict[str, Callable[[int, User], Table]] = {
    "weekly": weekly,
    "departments": departments,
    "versions": versions,
    "calibration": calibration,
    "confusion": confusion,
    "corrections": corrections,
    "confidence": confidence,
    "low-confidence": low_confidence,
    "volumes": volumes,
    "volume-by-department": by_departments,
    "errors": errors,
}
