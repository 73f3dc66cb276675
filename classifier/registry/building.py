"""Puts models into the models folder: the shipped starter, and newly trained ones."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from classifier.models import ModelAlias, ModelVersion
from classifier.registry.queries import PRODUCTION, folder_of
from classifier.registry.services import OWN_TEST_SPLIT, promote, record_evaluation, register
from ml.data import Example
from ml.progress import Watch, unwatched
from reviewdesk.errors import DeskError

STARTER = "starter"
PAGES = ("compare", "rollback", "runs", "train")  # that stand beside the versions' own


def ensure_starter() -> ModelVersion:
    """Export, register and promote the shipped starter unless a model is in production already."""
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is not None:
        return alias.version
    if not (settings.MODELS_DIR / STARTER / "manifest.json").is_file():
        from ml.starter import save_starter

        save_starter(settings.MODELS_DIR / STARTER, version=STARTER)
    version = register(name=STARTER)
    record_evaluation(version=version, data=OWN_TEST_SPLIT, report=version.metrics)
    promote(version=version, reason="shipped with the desk")
    return version


def check_free(name: str) -> None:
    """Raises DeskError for a name that is taken or cannot be a folder's."""
    if not name or name != Path(name).name or name.startswith(".") or len(name) > 80 or name in PAGES:
        raise DeskError(
            f"name is {name!r}; allowed: up to 80 characters without a slash or a leading dot, "
            f"and none of {', '.join(PAGES)}"
        )
    if (settings.MODELS_DIR / name).exists():
        raise DeskError(
            f"model {name!r} exists in {settings.MODELS_DIR}; choose another name, "
            f"or, if it is not on the models page, run: manage.py models register {name}"
        )


def run_folder(name: str) -> Path:
    """Where a run keeps its checkpoints, curve and log."""
    return settings.VAR_DIR / "training" / name


def training_defaults() -> dict:
    """What the options of `ml.options.add_training_options` are when nobody says otherwise."""
    from argparse import ArgumentParser

    from ml.options import add_training_options

    parser = ArgumentParser()
    add_training_options(parser, data=False)
    return {k: v for k, v in vars(parser.parse_args([])).items() if k not in ("data", "resume")}


def train_version(
    *,
    name: str,
    examples: Sequence[Example],
    options: dict,
    trained_by: str,
    again: bool = False,
    watch: Watch = unwatched,
) -> ModelVersion:
    """Train on `examples`, save and register the artifact, and measure it on its own test split.

    `options` are those of `ml.options.add_training_options`. `again`: an earlier attempt may have died after it
    had saved the artifact, which is then taken as it is.
    """
    from ml.artifact import load_artifact, load_test_rows, save_artifact
    from ml.evaluation import full_report
    from ml.options import order_from
    from ml.predictor import Predictor
    from ml.workshop import train

    folder = settings.MODELS_DIR / name
    if again and (folder / "manifest.json").is_file():
        artifact = load_artifact(folder)
    else:
        check_free(name)
        trained = train(examples, order_from(options, settings.ENCODER), output=run_folder(name), watch=watch)
        artifact = save_artifact(trained, folder, version=name, trained_by=trained_by, git_commit=git_commit())
    version = register(name=name)
    rows = load_test_rows(artifact)
    if rows:
        predictor = Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME)
        report = full_report(predictor, rows, threshold=settings.REVIEW_THRESHOLD, watch=watch)
        record_evaluation(version=version, data=OWN_TEST_SPLIT, report=report)
        version.refresh_from_db()
    return version


def git_commit() -> str:
    """The commit of the project, or empty outside a checkout."""
    try:
        run = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip()
