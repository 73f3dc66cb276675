"""What a search asks and what a back end answers, and which back end the settings choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from django.conf import settings

from ml.embedding import Embedder
from reviewdesk.backends import Lazy

CANDIDATES = 50
DECAY = 0.5  # of a turn's weight for each turn it lies back
WORD_TURNS = 2  # whose words are searched for


@dataclass(frozen=True)
class Query:
    """What a customer has said, newest turn first, and whose knowledge is searched."""

    turns: Sequence[str]
    department_id: int

    @property
    def words(self) -> str:
        """The text that is searched by words."""
        return " ".join(self.turns[:WORD_TURNS])

    def vector(self, embedder: Embedder) -> np.ndarray:
        """float32 (dimension,) of length one: the turns' vectors, each older one half as heavy."""
        total = sum(DECAY**age * embedder.encode_query(turn) for age, turn in enumerate(self.turns))
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), dtype=np.float32)


@dataclass(frozen=True)
class Candidates:
    """Two ranked lists of a department's passages: by words, and by vector as (passage, cosine)."""

    by_words: Sequence[int]
    by_vector: Sequence[tuple[int, float]]


class Retriever(Protocol):
    """Where passages are looked up. It holds a copy of the knowledge; `catch_up` brings it to the database's state."""

    name: str

    def candidates(self, query: Query, vector: np.ndarray, n: int = CANDIDATES) -> Candidates:
        """The n best passages by each list. Raises BackendError when the back end cannot be reached."""
        ...

    def catch_up(self) -> int:
        """Take over what changed in the database; returns how many documents."""
        ...


def _embedded() -> Retriever:
    from responses.retrieval.embedded import EmbeddedRetriever

    return EmbeddedRetriever()


def _elasticsearch() -> Retriever:
    from responses.retrieval.elastic import ElasticRetriever

    return ElasticRetriever.from_settings()


_BACKENDS: dict[str, Callable[[], Retriever]] = {"embedded": _embedded, "elasticsearch": _elasticsearch}
retriever: Lazy[Retriever] = Lazy(lambda: _BACKENDS[settings.RETRIEVAL]())
