"""Puts models into the models folder: the shipped starter, and newly trained ones."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from classifier.models import ModelAlias, ModelVersion
from classifier.registry.services import PRODUCTION, promote, register
from ml.data import Example, load_corpus
from ml.taxonomy import LabelSpace
from reviewdesk.errors import DeskError

STARTER = "starter"


def ensure_starter() -> ModelVersion:
    """Export, register and promote the shipped starter unless a model is in production already."""
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is not None:
        return alias.version
    if not (settings.MODELS_DIR / STARTER / "manifest.json").is_file():
        from ml.starter import save_starter

        save_starter(settings.MODELS_DIR / STARTER, version=STARTER)
    version = register(name=STARTER)
    promote(version=version)
    return version


def train_artifact(
    *,
    name: str,
    examples: Sequence[Example],
    space: LabelSpace,
    trained_by: str,
    frozen: bool = True,
    progress: bool = False,
) -> Path:
    """Train on `examples` and save the artifact under `name` in the models folder."""
    from ml.artifact import save_artifact
    from ml.finetuning import fine_tune
    from ml.training import train_frozen

    folder = settings.MODELS_DIR / name
    if folder.exists():
        raise DeskError(f"model {name!r} exists in {settings.MODELS_DIR}; choose another --name")
    if frozen:
        trained = train_frozen(examples, encoder=settings.ENCODER, space=space, progress=progress)
    else:
        trained = fine_tune(
            examples, encoder=settings.ENCODER, space=space, output=settings.VAR_DIR / "training" / name
        )
    save_artifact(trained, folder, version=name, examples=examples, trained_by=trained_by, git_commit=git_commit())
    return folder


def git_commit() -> str:
    """The commit of the project, or empty outside a checkout."""
    try:
        run = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip()
