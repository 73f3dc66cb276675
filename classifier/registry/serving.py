"""The predictor that serves in this process: loaded on first use, exchanged after a promotion.

Each second at most the database is asked which version serves and whether the taxonomy changed.
While a new model loads, the old one goes on answering, so that no request waits or is lost; only
a process that had been idle loads before it answers, since its model may be long out of date.
"""

import logging
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic

from django.conf import settings

from classifier.models import ModelAlias, ModelVersion
from classifier.registry.newcomers import Revision, new_subtypes, revision
from classifier.registry.queries import PRODUCTION, folder_of
from ml.errors import ArtifactError
from ml.predictor import NewSubtype, Predictor
from reviewdesk.errors import BackendError
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
load_trouble = Trouble(logger)
CHECK_SECONDS = 1.0  # how often a process asks the database which version serves
IDLE_SECONDS = 4.0  # after which a process loads a new version before it answers
RETRY_SECONDS = 30.0  # before a version that could not be loaded is tried again


@dataclass(frozen=True)
class Serving:
    version: ModelVersion
    predictor: Predictor
    revision: Revision


_lock = Lock()
_current: Serving | None = None
_checked = 0.0
_loading: Thread | None = None
_failed: tuple[int, float] = (0, 0.0)  # version and when


def serving() -> Serving:
    """The production model.

    Raises BackendError that says what to run when there is no production model, or, where none is
    loaded yet, names the file of its folder that is corrupt.
    """
    global _current, _checked
    with _lock:
        idle = monotonic() - _checked
        if _current is None:
            _current = load(production_version())
        elif idle > CHECK_SECONDS:
            _catch_up(_current, wait=idle > IDLE_SECONDS)
        else:
            return _current
        _checked = monotonic()
        return _current


def production_version() -> ModelVersion:
    alias = ModelAlias.objects.filter(name=PRODUCTION).select_related("version").first()
    if alias is None:
        raise BackendError(
            "No model is in production. Run: manage.py train, then manage.py models promote NAME --reason R.",
            permanent=True,
        )
    return alias.version


def forget() -> None:
    """Drop the loaded model (for tests and for a process that forks)."""
    global _current, _checked, _failed
    with _lock:
        _current, _checked, _failed = None, 0.0, (0, 0.0)


def _catch_up(current: Serving, *, wait: bool) -> None:
    """Compare what is loaded with the database, and load or learn what is new; the caller holds the lock."""
    global _loading
    if _loading is not None and _loading.is_alive():
        return None
    version = production_version()
    same = version.pk == current.version.pk
    if _failed[0] == version.pk and monotonic() - _failed[1] < RETRY_SECONDS:
        return None
    try:
        found = revision(folder_of(version))
    except BackendError as error:
        return _give_up(version, error)
    if same and found == current.revision:
        return None
    args = (version, found, new_subtypes(found), current if same else None)
    _loading = Thread(target=_exchange, args=args, daemon=True)
    _loading.start()
    if wait:
        _loading.join()
    return None


def _exchange(version: ModelVersion, found: Revision, subtypes: list[NewSubtype], same: Serving | None) -> None:
    """Put a newly loaded model (or the same one with new subtypes) in place; touches no database."""
    global _current
    try:
        predictor = same.predictor if same else Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME)
        predictor.learn(subtypes)
    except Exception as error:
        return _give_up(version, error)
    _current = Serving(version, predictor, found)
    load_trouble.over()
    return None


def _give_up(version: ModelVersion, error: Exception) -> None:
    global _failed
    _failed = (version.pk, monotonic())
    load_trouble.report(f"model {version.version} cannot be loaded, the old one goes on serving: {error}")


def load(version: ModelVersion) -> Serving:
    """Read a version from its folder. Raises BackendError that names the file which is corrupt."""
    try:
        predictor = Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME)
    except ArtifactError as error:
        raise BackendError(f"Model {version.version} cannot be loaded: {error}", permanent=True) from None
    found = revision(folder_of(version))
    predictor.learn(new_subtypes(found))
    return Serving(version, predictor, found)
