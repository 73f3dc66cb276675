"""What a retrieval back end answers, and which one the settings choose."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from django.conf import settings

from reviewdesk.backends import Lazy


@dataclass(frozen=True)
class Hit:
    """One passage found; `score` is the cosine similarity of its vector with the query's."""

    passage_id: int
    title: str
    doc_type: str
    heading: str
    text: str
    score: float


class Retriever(Protocol):
    name: str

    def search(self, *, text: str, vector: np.ndarray, department_id: int, k: int = 5) -> list[Hit]:
        """The k best passages of a department by words and vector together, best first."""
        ...


def _embedded() -> Retriever:
    from responses.retrieval.embedded import EmbeddedRetriever

    return EmbeddedRetriever()


_BACKENDS: dict[str, Callable[[], Retriever]] = {"embedded": _embedded}
retriever: Lazy[Retriever] = Lazy(lambda: _BACKENDS[settings.RETRIEVAL]())
