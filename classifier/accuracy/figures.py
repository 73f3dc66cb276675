"""The figures beside accuracy: what came in, how sure the model was, what people corrected.

Each is a table whose rows lead to the emails behind them; `presenting` draws them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Avg, Count, F, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from classifier.accuracy.estimates import DEPARTMENT_WEEKS
from classifier.accuracy.queries import by_department, by_version, weeks
from classifier.judging import LOW_CONFIDENCE, Judged
from classifier.labels import confirmed, same_subtype
from classifier.models import Email, EmailType, Prediction, Source, Verification
from ml.intervals import wilson_interval
from reviewdesk.backends import Remembered

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


def _since(days: int) -> datetime:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days - 1)


def _predicted(days: int) -> QuerySet[Prediction]:
    """The predictions in force of the last days' mail that a person wrote."""
    return Prediction.objects.filter(
        email__prediction=F("pk"), email__automatic="", created_at__gte=_since(days)
    ).exclude(email__verification__source=Source.GOLD)


def _by_day(days: int) -> QuerySet:
    return _predicted(days).annotate(day=TruncDate("created_at")).order_by("day").values("day")


def weekly(days: int) -> Table:
    """Accuracy week by week; it looks back twelve weeks, whatever `days` is."""
    rows = []
    for week in _weeks.get():
        s, t = week.subtype, week.type
        cells = (week.week, s.value, s.low, s.high, t.value, t.low, t.high, len(week.judged), week.drawn, week.blind)
        rows.append(Row(cells, _emails(week=week.week)))
    columns = (
        "Week of", "Subtype", "from", "to", "Type", "from", "to", "Answered", "Drawn", "Blind",
    )  # fmt: skip
    return Table("weekly", "Accuracy by week", "Random samples, 95% intervals.", columns, rows)


def departments(days: int) -> Table:
    rows = [
        Row(
            (r.department.name, r.figure.value, r.figure.low, r.figure.high, r.figure.n, "below" if r.alarm else ""),
            _emails(department=r.department.slug, sampled=1),
        )
        for r in by_department(_weeks.get()[:DEPARTMENT_WEEKS])
    ]
    columns = ("Department", "Subtype", "from", "to", "n", "Alert")
    note = "The last four weekly samples pooled; an alert needs all of them and a bound that allows for so many departments."
    return Table("departments", "Accuracy by department", note, columns, rows)


def versions(days: int) -> Table:
    rows = [
        Row((name, p.value, p.low, p.high, p.n), _emails(version=name, sampled=1))
        for name, p in by_version(_weeks.get())
    ]
    columns = ("Model", "Subtype", "from", "to", "n")
    return Table("versions", "Accuracy by model", "Twelve weekly samples, each model alone.", columns, rows)


def calibration(days: int) -> Table:
    """Of the newest version in the samples: how often it is right at which confidence."""
    judged = _of_newest_version([j for week in _weeks.get() for j in week.judged])
    bins: dict[int, list[Judged]] = defaultdict(list)
    for j in judged:
        bins[min(int(j.said.subtype_confidence * BINS), BINS - 1)].append(j)
    rows = []
    for i, own in sorted(bins.items()):
        mean = sum(j.said.subtype_confidence for j in own) / len(own)
        link = _emails(sampled=1, low=i / BINS, high=(i + 1) / BINS)
        rows.append(Row((mean, *_share(sum(j.right for j in own), len(own)), len(own)), link))
    name = judged[0].said.model_version.version if judged else "no model"
    columns = ("Mean confidence", "Right", "from", "to", "n")
    return Table("calibration", f"Does the confidence of {name} hold?", "From the weekly samples.", columns, rows)


def _of_newest_version(judged: list[Judged]) -> list[Judged]:
    newest = max((j.said.model_version_id for j in judged), default=0)
    return [j for j in judged if j.said.model_version_id == newest]


def confusion(days: int) -> Table:
    """What people answered where the model had said something else, in every queue."""
    changed = _corrections(days).exclude(SAME)
    pairs = changed.values_list(
        "email__department__name", "email__department__slug", "prediction__subtype__name", "prediction__subtype__slug",
        "subtype__name", "subtype__slug",
    ).annotate(n=Count("pk"))  # fmt: skip
    rows = [
        Row(
            (department, said or "none", answered or "none", n),
            _emails(department=slug, said=said_slug, answered=answered_slug, days=days),
        )
        for department, slug, said, said_slug, answered, answered_slug, n in pairs.order_by("-n")[:PAIRS]
    ]
    columns = ("Department", "The model said", "People answered", "Emails")
    note = "From every queue, so no measure of accuracy: the queue of low confidence holds what is hard."
    return Table("confusion", "What is taken for what", note, columns, rows)


def _corrections(days: int) -> QuerySet[Verification]:
    answers = confirmed(Verification.objects.filter(created_at__gte=_since(days), prediction__isnull=False))
    return answers.exclude(source=Source.GOLD)


def corrections(days: int) -> Table:
    """How often each person's answer was another than the model's."""
    counts = _corrections(days).values_list("reviewer__username").annotate(
        n=Count("pk"), changed=Count("pk", filter=~SAME), blind=Count("pk", filter=Q(blind=True))
    )  # fmt: skip
    rows = [
        Row((who or "unknown", n, changed, *_share(changed, n), blind), _emails(reviewer=who, wrong=1, days=days))
        for who, n, changed, blind in counts.order_by("-n")
    ]
    columns = ("Person", "Answers", "Changed", "Share", "from", "to", "Blind")
    note = "A share far from the others', at equal mail, is worth a talk."
    return Table("corrections", "Reviewers' corrections", note, columns, rows)


def confidence(days: int) -> Table:
    found = _by_day(days).annotate(mean=Avg("subtype_confidence"), types=Avg("type_confidence"), n=Count("pk"))
    rows = [Row((r["day"], r["mean"], r["types"], r["n"]), _emails(day=r["day"])) for r in found]
    columns = ("Day", "Subtype", "Type", "Emails")
    return Table("confidence", "Mean confidence by day", "", columns, rows)


def low_confidence(days: int) -> Table:
    found = _by_day(days).annotate(
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


def volumes(days: int) -> Table:
    counts: dict = defaultdict(Counter)
    for day, kind, n in _by_day(days).values_list("day", "type").annotate(n=Count("pk")):
        counts[day][kind] += n
    rows = [
        Row((day, *(by[kind] for kind in EmailType.values)), _emails(day=day)) for day, by in sorted(counts.items())
    ]
    columns = ("Day", *(label for _, label in EmailType.choices))
    return Table("volumes", "Emails by type and day", "As the model sorted them.", columns, rows)


def by_departments(days: int) -> Table:
    kinds = {kind: Count("pk", filter=Q(type=kind)) for kind in EmailType.values}
    found = _predicted(days).values_list("department__slug", "department__name").annotate(n=Count("pk"), **kinds)
    rows = [Row(cells, _emails(department=slug, days=days)) for slug, *cells in found.order_by("-n")]
    columns = ("Department", "Emails", *(label for _, label in EmailType.choices))
    return Table("volume-by-department", "Emails by department", "", columns, rows)


def errors(days: int) -> Table:
    """Mail that something was wrong with, by what."""
    counts = Email.objects.filter(created_at__gte=_since(days)).exclude(unreadable="")
    labels = dict(Email.Unreadable.choices)
    found = counts.values_list("unreadable").annotate(n=Count("pk")).order_by("-n")
    rows = [Row((labels[kind], n), _emails(unreadable=kind, days=days)) for kind, n in found]
    return Table(
        "errors", "Mail that could not be read", "It goes to review, whatever the model says.", ("What", "Emails"), rows
    )


FIGURES: dict[str, Callable[[int], Table]] = {
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
