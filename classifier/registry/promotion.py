"""Promotion by a person: what they must see first, and what is refused unless they insist.

Retraining and rollouts have gates of their own and call `services.promote`.
"""

from dataclasses import dataclass, field

from django.db.models.fields.json import KeyTextTransform, KeyTransform

from abtests.queries import active
from classifier.models import Evaluation, ModelVersion, Subtype
from classifier.registry import services
from classifier.registry.newcomers import trained_labels
from classifier.registry.queries import PRODUCTION, aliases, folder_of
from reviewdesk.errors import BackendError, DeskError
from reviewdesk.people.models import User

NO_REASON = "Give a reason for the promotion; it is kept in the ledger."


@dataclass(frozen=True)
class Measured:
    """Subtype and type accuracy of one version on `data`, `n` emails."""

    subtype: float
    subtype_interval: tuple[float, float]
    type: float
    n: int
    data: str


@dataclass(frozen=True)
class Coverage:
    """Of the departments and subtypes in use, which a model was trained on."""

    known_departments: int
    departments: int
    known_subtypes: int
    subtypes: int
    missing: list[str]


@dataclass(frozen=True)
class PromotionCheck:
    """What stands beside a promotion; `problems` are the reasons to refuse it."""

    version: ModelVersion
    production: ModelVersion | None
    measured: Measured | None
    measured_production: Measured | None
    same_emails: bool
    coverage: Coverage
    running_tests: list[str]
    problems: list[str] = field(default_factory=list)


def promote_by_person(*, version: ModelVersion, by: User | None, reason: str, force: bool = False) -> None:
    """Let `version` serve. Raises DeskError without a reason, and without `force` for one that was not evaluated, is
    worse than production, lacks a department that production knows, or would disturb a running test."""
    if not reason.strip():
        raise DeskError(NO_REASON, fields={"reason": ["is missing"]})
    check = check_promotion(version)
    if check.problems and not force:
        message = f"{version} is not promoted: {'; '.join(check.problems)}. Promote it with force to insist."
        raise DeskError(message, code="promotion_refused", fields={"force": check.problems})
    services.promote(version=version, by=by, reason=reason.strip())


def check_promotion(version: ModelVersion) -> PromotionCheck:
    production = aliases().get(PRODUCTION)
    if production is not None and production.pk == version.pk:
        production = None
    candidate, serving, same_emails = _measured(version, production)
    check = PromotionCheck(
        version=version,
        production=production,
        measured=candidate,
        measured_production=serving,
        same_emails=same_emails,
        coverage=_coverage(version, production),
        running_tests=[model.experiment.name for model in active.get()],
    )
    check.problems.extend(_problems(check))
    return check


def _problems(check: PromotionCheck) -> list[str]:
    problems = []
    candidate, serving = check.measured, check.measured_production
    if candidate is None:
        problems.append(f"it was never evaluated (manage.py evaluate {check.version} does)")
    elif serving is not None and candidate.subtype < serving.subtype:
        where = "on the same emails" if check.same_emails else "each on its own test split"
        problems.append(
            f"its subtype accuracy is {candidate.subtype:.1%}, that of {check.production} {serving.subtype:.1%}, {where}"
        )
    if check.coverage.missing:
        problems.append(f"it was not trained on {', '.join(check.coverage.missing)}")
    if check.running_tests:
        problems.append(f"a test is running: {', '.join(check.running_tests)}")
    return problems


def _measured(version: ModelVersion, production: ModelVersion | None) -> tuple[Measured | None, Measured | None, bool]:
    """Both measured on the same emails where there are such reports, else each by its latest one."""
    candidate = _reports(version)
    serving = _reports(production) if production is not None else []
    on_same = {sha: measured for sha, measured in reversed(serving) if sha}
    for sha, measured in candidate:
        if sha in on_same:
            return measured, on_same[sha], True
    return (candidate[0][1] if candidate else None), (serving[0][1] if serving else None), False


def _reports(version: ModelVersion) -> list[tuple[str, Measured]]:
    """(SHA-256 of the emails, what was measured), the newest first."""
    rows = Evaluation.objects.filter(version=version).annotate(
        sha=KeyTextTransform("data_sha256", "report"),
        n=KeyTransform("n", "report"),
        of_type=KeyTransform("accuracy", KeyTransform("type", "report")),
        of_subtype=KeyTransform("accuracy", KeyTransform("subtype", "report")),
        interval=KeyTransform("accuracy_interval", KeyTransform("subtype", "report")),
    )
    reports = [
        (sha or "", Measured(of_subtype, tuple(interval or (0.0, 1.0)), of_type or 0.0, n or 0, data))
        for sha, n, of_type, of_subtype, interval, data in rows.values_list(
            "sha", "n", "of_type", "of_subtype", "interval", "data"
        )[:50]
        if of_subtype is not None
    ]
    # A folder from another machine brings the figures of its training along.
    figures = version.metrics.get("subtype", {}) if version.metrics else {}
    if not reports and figures.get("accuracy") is not None:
        of_type = version.metrics.get("type", {}).get("accuracy", 0.0)
        interval = tuple(figures.get("accuracy_interval") or (0.0, 1.0))
        measured = Measured(
            figures["accuracy"], interval, of_type, version.metrics.get("n", 0), services.OWN_TEST_SPLIT
        )
        reports.append((version.metrics.get("data_sha256", ""), measured))
    return reports


def _coverage(version: ModelVersion, production: ModelVersion | None) -> Coverage:
    """A department that no model knows is served by its examples; one that production knows must not be lost."""
    in_use = Subtype.objects.filter(active=True, department__active=True)
    labels = set(in_use.values_list("department__slug", "slug"))
    known = _trained(version) & labels
    known_departments = {department for department, _ in known}
    if production is None:
        expected = {department for department, _ in labels}
    else:
        expected = {department for department, _ in _trained(production) & labels}
    return Coverage(
        len(known_departments),
        len({department for department, _ in labels}),
        len(known),
        len(labels),
        sorted(expected - known_departments),
    )


def _trained(version: ModelVersion) -> frozenset[tuple[str, str]]:
    try:
        return trained_labels(folder_of(version))
    except BackendError:
        return frozenset()
