"""The embedders of this process, each loaded once."""

from functools import cache
from threading import Lock

from django.conf import settings

from ml.embedding import Embedder

_lock = Lock()


@cache
def _built(name: str) -> Embedder:
    return Embedder(name)


def embedder_of(name: str) -> Embedder:
    with _lock:
        return _built(name)


def chosen_embedder() -> Embedder:
    """The one that the settings name; `search.serving_embedder` is the one that is searched with."""
    return embedder_of(settings.EMBEDDER)
