"""Registers model folders and decides which of them serves."""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from classifier.models import ModelAlias, ModelVersion
from ml.artifact import load_artifact
from ml.errors import ArtifactError
from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

PRODUCTION, PREVIOUS = "production", "previous"


def folder_of(version: ModelVersion) -> Path:
    return settings.MODELS_DIR / version.version


def register(*, name: str) -> ModelVersion:
    """Record the artifact `name` of the models folder, verified, as a candidate."""
    try:
        artifact = load_artifact(settings.MODELS_DIR / name)
    except ArtifactError as error:
        raise DeskError(str(error)) from None
    facts = {"manifest": artifact.manifest, "metrics": artifact.manifest["metrics"]}
    version, _ = ModelVersion.objects.update_or_create(version=name, defaults=facts)
    return version


def find_version(name: str) -> ModelVersion:
    version = ModelVersion.objects.filter(version=name).first()
    if version is None:
        known = ", ".join(ModelVersion.objects.order_by("version").values_list("version", flat=True))
        raise DeskError(f"model {name!r} is unknown; allowed: {known or '(none yet: run manage.py train)'}")
    return version


def promote(*, version: ModelVersion, by: User | None = None) -> None:
    """Let `version` serve; the one that served becomes `previous`. Every process notices within seconds."""
    load_artifact(folder_of(version))  # never put a corrupt folder in production
    with transaction.atomic():
        current = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
        if current and current.version_id == version.pk:
            return
        if current:
            ModelAlias.objects.update_or_create(name=PREVIOUS, defaults={"version": current.version})
            ModelVersion.objects.filter(pk=current.version_id).update(state=ModelVersion.State.DEPRECATED)
        ModelAlias.objects.update_or_create(name=PRODUCTION, defaults={"version": version})
        ModelVersion.objects.filter(pk=version.pk).update(state=ModelVersion.State.PRODUCTION)
        record(action="promote", target=version, actor=by, replaced=current.version.version if current else None)


def roll_back(*, by: User | None = None) -> ModelVersion:
    """Let the previous production version serve again."""
    previous = ModelAlias.objects.filter(name=PREVIOUS).select_related("version").first()
    if previous is None:
        raise DeskError("there is no previous model to roll back to; allowed after the second promotion")
    promote(version=previous.version, by=by)
    return previous.version


def archive(*, version: ModelVersion) -> None:
    """Put a version aside; its folder stays. The one in production cannot be archived."""
    if ModelAlias.objects.filter(name=PRODUCTION, version=version).exists():
        raise DeskError(f"{version.version} is in production; promote another version first")
    ModelVersion.objects.filter(pk=version.pk).update(state=ModelVersion.State.ARCHIVED)
    record(action="archive", target=version)
