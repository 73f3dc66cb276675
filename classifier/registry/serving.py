"""The predictor that serves in this process: loaded on first use, exchanged after a promotion."""

from dataclasses import dataclass
from threading import Lock
from time import monotonic

from django.conf import settings

from classifier.models import ModelAlias, ModelVersion
from classifier.registry.services import PRODUCTION, folder_of
from ml.errors import ArtifactError
from ml.predictor import Predictor
from reviewdesk.errors import BackendError

CHECK_SECONDS = 2.0  # how often a process asks the database which version serves


@dataclass(frozen=True)
class Serving:
    version: ModelVersion
    predictor: Predictor


_lock = Lock()
_current: Serving | None = None
_checked = 0.0


def serving() -> Serving:
    """The production model. While a new one loads, requests wait and none is lost.

    Raises BackendError that says what to run when there is no production model, or names the
    file of its folder that is corrupt.
    """
    global _current, _checked
    with _lock:
        if _current is None or monotonic() - _checked > CHECK_SECONDS:
            version = production_version()
            if _current is None or _current.version.pk != version.pk:
                _current = _load(version)
            _checked = monotonic()
        return _current


def production_version() -> ModelVersion:
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is None:
        raise BackendError(
            "No model is in production. Run: manage.py train, then manage.py models promote.", permanent=True
        )
    return alias.version


def forget() -> None:
    """Drop the loaded model (for tests and for a process that forks)."""
    global _current, _checked
    with _lock:
        _current, _checked = None, 0.0


def _load(version: ModelVersion) -> Serving:
    try:
        return Serving(version, Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME))
    except ArtifactError as error:
        raise BackendError(f"Model {version.version} cannot be loaded: {error}", permanent=True) from None
