"""Versions that are not in production and that a running test asks for: loaded on first use, a process keeps the last few."""

import logging
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from classifier.models import ModelVersion
from classifier.registry.newcomers import new_subtypes, revision
from classifier.registry.queries import folder_of
from classifier.registry.serving import CHECK_SECONDS, RETRY_SECONDS, Serving, load
from reviewdesk.errors import BackendError
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
trouble = Trouble(logger)
KEPT = 2


@dataclass
class _Held:
    """A loaded version, or why it cannot be; until when that holds without a look at the database."""

    serving: Serving | None
    error: BackendError | None
    until: float


_lock = Lock()
_held: dict[str, _Held] = {}


def version_under_test(name: str) -> Serving:
    """The version called `name`. Raises BackendError when it is unknown or its folder is corrupt; tried again later."""
    with _lock:
        held = _held.get(name)
        if held is None or monotonic() > held.until:
            held = _held[name] = _look(name, held)
            while len(_held) > KEPT:
                _held.pop(next(iter(_held)))
        if held.serving is None:
            raise held.error or BackendError(f"Model {name} cannot be loaded.", permanent=True)
        return held.serving


def _look(name: str, held: _Held | None) -> _Held:
    """Load it, or let what is loaded learn the subtypes that are new."""
    try:
        version = ModelVersion.objects.filter(version=name).first()
        if version is None:
            raise BackendError(f"Model {name} is unknown.", permanent=True)
        if held is None or held.serving is None:
            return _Held(load(version), None, monotonic() + CHECK_SECONDS)
        found = revision(folder_of(version))
        if found != held.serving.revision:
            held.serving.predictor.learn(new_subtypes(found))
        return _Held(Serving(version, held.serving.predictor, found), None, monotonic() + CHECK_SECONDS)
    except Exception as error:  # memory, a runtime, a file: whatever it is, nobody's email may wait for it
        trouble.report(f"model {name}, which is under test, cannot be loaded: {error}", key=name, exc_info=True)
        failed = error if isinstance(error, BackendError) else BackendError(f"Model {name} cannot be loaded: {error}")
        return _Held(None, failed, monotonic() + RETRY_SECONDS)


def forget() -> None:
    """Drop what is loaded (for tests)."""
    with _lock:
        _held.clear()
