"""What pages, commands and the API show of the registry."""

from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from classifier.models import Department, Evaluation, ModelAlias, ModelVersion, ServingPeriod
from ml.artifact import load_validation
from ml.errors import ArtifactError
from reviewdesk.errors import DeskError

PRODUCTION, PREVIOUS = "production", "previous"
SHOWN = 200
COMPARABLE = 50


def folder_of(version: ModelVersion) -> Path:
    return settings.MODELS_DIR / version.version


def find_version(name: str) -> ModelVersion:
    version = ModelVersion.objects.filter(version=name).first()
    if version is None:
        known = ", ".join(ModelVersion.objects.order_by("version").values_list("version", flat=True))
        raise DeskError(f"model {name!r} is unknown; allowed: {known or '(none yet: run manage.py train)'}")
    return version


def version_row(version: ModelVersion) -> dict[str, Any]:
    """A version as commands and the API show it."""
    m, figures = version.manifest, version.metrics or {}
    return {
        "version": version.version,
        "state": version.state,
        "trained_at": m.get("trained_at", ""),
        "training_size": m.get("training_size"),
        "encoder": m.get("encoder", ""),
        "precision": m.get("onnx", {}).get("precision", "fp32"),
        "subtype_accuracy": figures.get("subtype", {}).get("accuracy"),
        "type_accuracy": figures.get("type", {}).get("accuracy"),
        "notes": version.notes,
    }


def versions() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.order_by("-pk")[:SHOWN]


def evaluations() -> QuerySet[Any]:
    """The latest reports without their figures; `measured_on` tells reports on the same rows."""
    hashed = KeyTextTransform("data_sha256", "report")
    return (
        Evaluation.objects.select_related("version")
        .defer("report", "version__metrics")
        .annotate(measured_on=hashed)[:COMPARABLE]
    )


def aliases() -> dict[str, ModelVersion]:
    """`production` and `previous`, where they are set."""
    found = ModelAlias.objects.filter(name__in=[PRODUCTION, PREVIOUS]).select_related("version")
    return {alias.name: alias.version for alias in found}


def periods() -> QuerySet[ServingPeriod]:
    return ServingPeriod.objects.select_related("version", "by")[:SHOWN]


def ledger() -> list[dict[str, Any]]:
    """What was live when, newest first."""
    return [
        {
            "version": p.version.version,
            "since": p.since.isoformat(timespec="seconds"),
            "until": p.until.isoformat(timespec="seconds") if p.until else None,
            "how": p.how,
            "by": p.by.username if p.by else None,
            "reason": p.reason,
        }
        for p in periods()
    ]


def threshold_choices(version: ModelVersion, accuracy: float) -> list[dict[str, Any]]:
    """For each department: the threshold that keeps answers right so often, from the model's validation rows.

    Raises DeskError when the model's folder cannot be read.
    """
    from ml.calibration import threshold_for

    try:
        rows = load_validation(folder_of(version))
    except ArtifactError as error:
        raise DeskError(str(error)) from None
    departments = {d.slug: d for d in Department.objects.filter(active=True)}
    choices = []
    for slug in sorted({row["department"] for row in rows} & set(departments)):
        own = [row for row in rows if row["department"] == slug]
        confidence = np.array([row["subtype_confidence"] for row in own])
        right = np.array([row["subtype"] == row["predicted_subtype"] for row in own])
        found = threshold_for(confidence, right, accuracy)
        choices.append(
            {"department": departments[slug], "n": len(own), "found": found, "accuracy": float(right.mean())}
        )
    return choices
