"""Registers model folders and decides which of them serves."""

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from abtests.queries import active
from classifier.models import Department, Evaluation, ModelAlias, ModelVersion, ServingPeriod
from classifier.registry.queries import PREVIOUS, PRODUCTION, folder_of
from ml.artifact import load_artifact
from ml.errors import ArtifactError
from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

OWN_TEST_SPLIT = "own test split"
State = ModelVersion.State


def register(*, name: str) -> ModelVersion:
    """Record the artifact `name` of the models folder, verified, as a candidate."""
    if not name or name != Path(name).name:
        raise DeskError(f"model is {name!r}; allowed: the name of a folder in {settings.MODELS_DIR}")
    artifact = _verified(settings.MODELS_DIR / name)
    facts = {"manifest": artifact.manifest, "metrics": artifact.manifest["metrics"]}
    version, new = ModelVersion.objects.get_or_create(version=name, defaults=facts)
    if not new and version.manifest != artifact.manifest:  # the folder holds another model than before
        ModelVersion.objects.filter(pk=version.pk).update(**facts)
        version.refresh_from_db()
    return version


def promote(
    *,
    version: ModelVersion,
    by: User | None = None,
    reason: str = "",
    how: ServingPeriod.How = ServingPeriod.How.PROMOTED,
    verified: bool = False,
) -> None:
    """Let `version` serve; the one that served becomes `previous`. Every process notices within seconds.

    Raises DeskError for an archived version or a folder that is corrupt; then nothing changes. Reading the folder takes
    a while: a caller within a transaction calls `verify` before it and says that it is `verified`.
    """
    if not verified:
        verify(version)
    with transaction.atomic():
        current = ModelAlias.objects.select_for_update().filter(name=PRODUCTION).first()
        version.refresh_from_db()
        if version.state == State.ARCHIVED:
            raise DeskError(
                f"{version.version} is archived; allowed: candidate, testing, deprecated. Restore it first."
            )
        if current and current.version_id == version.pk:
            return
        if current:
            ModelAlias.objects.update_or_create(name=PREVIOUS, defaults={"version": current.version})
            ModelVersion.objects.filter(pk=current.version_id).update(state=State.DEPRECATED)
        ModelAlias.objects.update_or_create(name=PRODUCTION, defaults={"version": version})
        _set_state(version, State.PRODUCTION)
        now = timezone.now()
        ServingPeriod.objects.filter(until__isnull=True).update(until=now)
        ServingPeriod.objects.create(version=version, since=now, how=how, by=by, reason=reason[:300])
        replaced = current.version.version if current else None
        record(action="promote", target=version, actor=by, replaced=replaced, how=how, reason=reason)


def roll_back(
    *,
    by: User | None = None,
    reason: str = "",
    serving: str = "",
    to: ModelVersion | None = None,
    verified: bool = False,
) -> ModelVersion:
    """Let the previous production version serve again, or `to` where that one was replaced.

    `serving` is what the caller saw in production: where another version has taken over since, nothing changes, so
    that a second click does not undo the first.
    """
    current = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if serving and current and current.version.version != serving:
        raise DeskError(f"{serving} does not serve any more, {current.version} does; look again and decide")
    previous = ModelAlias.objects.filter(name=PREVIOUS).select_related("version").first()
    to = to or (previous.version if previous else None)
    if to is None:
        raise DeskError("there is no previous model to roll back to; allowed after the second promotion")
    promote(version=to, by=by, reason=reason, how=ServingPeriod.How.ROLLED_BACK, verified=verified)
    return to


def set_testing(*, version: ModelVersion, by: User | None = None) -> None:
    """Mark a version as under test beside the one in production."""
    _leave(version, State.TESTING, {State.CANDIDATE, State.DEPRECATED, State.TESTING}, by)


def archive(*, version: ModelVersion, by: User | None = None) -> None:
    """Put a version aside; its folder stays. The one in production, or in an active test, cannot be archived."""
    for found in active.get():
        if version.version in (found.experiment.control, found.experiment.treatment):
            raise DeskError(f"{version.version} is in the test {found.experiment}; end it first")
    _leave(version, State.ARCHIVED, set(State) - {State.PRODUCTION}, by)


def restore(*, version: ModelVersion, by: User | None = None) -> None:
    """Take a version out of the archive, as a candidate."""
    _leave(version, State.CANDIDATE, {State.ARCHIVED, State.TESTING}, by)


def record_evaluation(*, version: ModelVersion, data: str, report: dict) -> Evaluation:
    """Store a report; one on the version's own test split is also what the models page shows."""
    if data == OWN_TEST_SPLIT:
        ModelVersion.objects.filter(pk=version.pk).update(metrics=report)
    return Evaluation.objects.create(version=version, data=data[:255], report=report)


def _leave(version: ModelVersion, state: ModelVersion.State, allowed: set, by: User | None) -> None:
    if not ModelVersion.objects.filter(pk=version.pk, state__in=allowed).update(state=state):
        version.refresh_from_db()
        if version.state == State.PRODUCTION:
            raise DeskError(f"{version.version} is in production; promote another version first")
        raise DeskError(f"{version.version} is {version.state}; allowed: {', '.join(sorted(allowed))}")
    version.state = state
    record(action=f"set {state}", target=version, actor=by)


def _set_state(version: ModelVersion, state: ModelVersion.State) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(state=state)
    version.state = state


def verify(version: ModelVersion) -> None:
    """Raises DeskError naming the file of its folder that is missing or corrupt."""
    _verified(folder_of(version))


def _verified(folder: Path):
    try:
        return load_artifact(folder)
    except ArtifactError as error:
        raise DeskError(str(error)) from None


def set_thresholds(*, thresholds: dict[str, float], by: User | None = None) -> int:
    """Give departments (by slug) their own review threshold; returns how many changed."""
    changed = 0
    for department in Department.objects.filter(slug__in=thresholds):
        new = thresholds[department.slug]
        if department.review_threshold != new:
            record(action="set threshold", target=department, actor=by, before=department.review_threshold, after=new)
            Department.objects.filter(pk=department.pk).update(review_threshold=new)
            changed += 1
    return changed
