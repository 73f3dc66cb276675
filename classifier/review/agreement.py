"""How far reviewers agree: pairs of answers in force about one email, over the last twelve weeks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from classifier.labels import confirmed
from classifier.models import Disagreement, Source, Verification
from classifier.review.agreeing import compared
from ml.agreement import Agreement, agreement

SPAN = timedelta(weeks=12)
MOST = 20_000  # answers read
SHOWN = 15


@dataclass(frozen=True)
class Pair:
    """The first answer about an email, and a later one by somebody else."""

    first: Verification
    second: Verification

    @property
    def labels(self) -> tuple[str, str]:
        return _name(self.first), _name(self.second)


@dataclass(frozen=True)
class Confusion:
    """Two labels that two people took for each other, `n` times, with the thread of one of the emails."""

    labels: tuple[str, str]
    n: int
    thread: int


@dataclass(frozen=True)
class Report:
    overall: Agreement
    type: Agreement
    departments: Sequence[tuple[str, Agreement]]
    labels: Sequence[tuple[str, Agreement]]
    people: Sequence[tuple[str, Agreement]]
    confusions: Sequence[Confusion]


def _name(answer: Verification) -> str:
    return answer.subtype.final.name if answer.subtype else answer.get_type_display()


def pairs() -> list[Pair]:
    """Every two people's answers about one email, where at least one of them was given to be compared."""
    since = timezone.now() - SPAN
    second = confirmed(Verification.objects.filter(independent=True, created_at__gte=since))
    emails = list(second.order_by("-pk").values_list("email", flat=True)[:MOST])
    answers = confirmed(Verification.objects.filter(email__in=set(emails), item__isnull=False))
    answers = answers.exclude(source=Source.ADJUDICATION).select_related(
        "subtype__merged_into", "reviewer", "email__department"
    )
    by_email: dict[int, list[Verification]] = defaultdict(list)
    for answer in answers.order_by("pk"):
        by_email[answer.email_id].append(answer)
    return [
        Pair(first, later)
        for some in by_email.values()
        for i, first in enumerate(some)
        for later in some[i + 1 :]
        if first.reviewer_id != later.reviewer_id and (first.independent or later.independent)
    ]


def report() -> Report:
    found = pairs()
    return Report(
        overall=agreement([p.labels for p in found]),
        type=agreement([(p.first.type, p.second.type) for p in found]),
        departments=_by(found, lambda p: p.first.email.department.name),
        labels=_by_label(found),
        people=_by(found, lambda p: " and ".join(sorted([str(p.first.reviewer), str(p.second.reviewer)]))),
        confusions=_confusions(found),
    )


def _by(found: Sequence[Pair], key) -> list[tuple[str, Agreement]]:
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        groups[key(pair)].append(pair)
    rows = [(name, agreement([p.labels for p in some])) for name, some in groups.items()]
    return sorted(rows, key=lambda row: -row[1].n)[:SHOWN]


def _by_label(found: Sequence[Pair]) -> list[tuple[str, Agreement]]:
    """Each label against all others, over the pairs in which one of the two gave it; the most disputed first."""
    departments: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        departments[pair.first.email.department.name].append(pair)
    rows = []
    for department, some in departments.items():
        for label in {name for p in some for name in p.labels}:
            one = agreement([(p.labels[0] == label, p.labels[1] == label) for p in some])
            rows.append((f"{label}, {department}", one))
    return sorted(rows, key=lambda row: (row[1].ac1 if row[1].ac1 is not None else 1.0, -row[1].n))[:SHOWN]


def _confusions(found: Sequence[Pair]) -> list[Confusion]:
    apart = [p for p in found if p.labels[0] != p.labels[1]]
    counts = Counter(tuple(sorted(p.labels)) for p in apart)
    threads = {tuple(sorted(p.labels)): p.first.email.thread_id for p in apart}
    return [Confusion((a, b), n, threads[a, b]) for (a, b), n in counts.most_common(SHOWN)]


@dataclass(frozen=True)
class OpenDisagreement:
    disagreement: Disagreement
    answers: Sequence[Verification]


def recent_decisions(*, most: int = 5) -> list[Disagreement]:
    """Those decided in the last day, the newest first: they can be taken back."""
    since = timezone.now() - timedelta(days=1)
    decided = Disagreement.objects.filter(settled_by__created_at__gte=since, settled_by__source=Source.ADJUDICATION)
    decided = decided.select_related("email", "settled_by__subtype", "settled_by__reviewer")
    return list(decided.order_by("-settled_by")[:most])


def open_disagreements(*, most: int = 20) -> list[OpenDisagreement]:
    """Those that wait for a decision, the oldest first, with the answers side by side."""
    waiting = Disagreement.objects.filter(settled_by=None).order_by("pk")[:most]
    waiting = waiting.select_related("email__department", "email__customer", "email__prediction__subtype")
    return [OpenDisagreement(d, compared(d.email)) for d in waiting]
