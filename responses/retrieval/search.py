"""Finds the passages that answer an email: two ranked lists, fused, without duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.embedding import Embedder
from responses.models import Document, PassageVectors
from responses.retrieval.base import CANDIDATES, Query, retriever
from responses.retrieval.changes import state
from responses.retrieval.embedders import embedder_of
from responses.retrieval.fusion import reciprocal_rank_fusion

K = 5


@dataclass(frozen=True)
class Hit:
    """One passage found. `score` is the cosine of its best window with the query; ranks count from 1, None where a
    list does not have it."""

    passage_id: int
    document_id: int
    title: str
    doc_type: str
    internal: bool
    heading: str
    text: str
    score: float
    rank_by_words: int | None = None
    rank_by_vector: int | None = None


def find(query: Query, *, k: int = K, internal: bool = True) -> list[Hit]:
    """The k best passages of the department, best first; the same text stands once.

    Without `internal`, documents for agents only are left out. Raises BackendError.
    """
    embedder = serving_embedder()
    if embedder is None or not any(turn.strip() for turn in query.turns):
        return []
    vector = query.vector(embedder)
    found = retriever.get().candidates(query, vector, CANDIDATES)
    nearest = [passage for passage, _ in found.by_vector]
    ranked = reciprocal_rank_fusion([nearest, found.by_words])
    rank_by_words = {passage: rank for rank, passage in enumerate(found.by_words, 1)}
    rank_by_vector = {passage: rank for rank, passage in enumerate(nearest, 1)}
    hits: list[Hit] = []
    seen: set[str] = set()
    for start in range(0, len(ranked), 2 * k):
        some = ranked[start : start + 2 * k]
        known = _load(some, vector, embedder.name, query.department_id, internal)
        for passage in some:
            if passage not in known:  # deleted or retired since the index was written
                continue
            row, score = known[passage]
            same = " ".join(row.text.lower().split())
            if same in seen:
                continue
            seen.add(same)
            d = row.document
            hits.append(
                Hit(passage, d.pk, d.title, d.doc_type, d.internal, row.heading, row.text, score,
                    rank_by_words.get(passage), rank_by_vector.get(passage))
            )  # fmt: skip
            if len(hits) == k:
                return hits
    return hits


def serving_embedder() -> Embedder | None:
    """The embedder whose vectors are searched; None while there is no knowledge."""
    name = state().embedder
    return embedder_of(name) if name else None


def _load(passages: Sequence[int], vector: np.ndarray, embedder: str, department_id: int, internal: bool):
    """Passage id → (passage with its document, cosine of its best window), of the department's documents that are searched."""
    off = (Document.Status.RETIRED, Document.Status.DELETED)
    rows = PassageVectors.objects.filter(
        passage__in=passages, embedder=embedder, passage__document__department=department_id
    )
    if not internal:
        rows = rows.filter(passage__document__internal=False)
    rows = rows.exclude(passage__document__status__in=off).select_related("passage__document")
    return {
        r.passage_id: (
            r.passage,
            float((np.frombuffer(r.windows, np.float16).reshape(-1, r.dimension).astype(np.float32) @ vector).max()),
        )
        for r in rows.defer("passage__document__text")
    }
