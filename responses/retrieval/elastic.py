"""Retrieval in Elasticsearch 9: words and vectors in one index, each window of a passage a document of it.

The index carries the revision it is at in its mapping's `_meta`. It is named after the embedder and the desk; the alias
that is searched moves to a new one once that is whole. Ranks are fused on our side, since the server's own fusion is
not in the basic licence; `_source` is never asked for vectors.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from responses.models import KnowledgeState, PassageVectors
from responses.retrieval.base import CANDIDATES, Candidates, Query
from responses.retrieval.changes import Change, changes_since, state
from reviewdesk.errors import BackendError

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

LEASE = timedelta(seconds=120)
CHUNK, CHUNK_BYTES = 200, 20 * 2**20
MAX_WORDS = 1_000  # characters of a question that are searched by words
META = "reviewdesk"  # in the mapping's _meta, whose values must be objects
PERMANENT = (401, 403)  # a 400 may pass: while the embedder changes, vectors and index differ in length


class ElasticRetriever:
    name = "elasticsearch"

    def __init__(self, connect: Callable[[], "Elasticsearch"], alias: str):
        self._connect, self._alias = connect, alias

    @classmethod
    def from_settings(cls) -> "ElasticRetriever":
        """Raises BackendError that says what to set."""
        if not settings.ELASTICSEARCH_URL:
            raise BackendError("REVIEWDESK_RETRIEVAL is elasticsearch: set ELASTICSEARCH_URL too.", permanent=True)

        def connect() -> "Elasticsearch":
            from elasticsearch import Elasticsearch

            return Elasticsearch(
                settings.ELASTICSEARCH_URL, api_key=settings.ELASTICSEARCH_API_KEY or None, request_timeout=10,
                max_retries=2, retry_on_timeout=True, retry_on_status=(429, 502, 503, 504),
            )  # fmt: skip

        return cls(connect, settings.ELASTICSEARCH_INDEX)

    @cached_property
    def _client(self) -> "Elasticsearch":
        return self._connect()

    def candidates(self, query: Query, vector: np.ndarray, n: int = CANDIDATES) -> Candidates:
        """One round trip for both lists; the department's filter is inside the vector search, so that n remain."""
        mine = [{"term": {"metadata.department": str(query.department_id)}}]
        words = {"bool": {"must": [{"match": {"content": {"query": query.words[:MAX_WORDS]}}}], "filter": mine}}
        nearest = {
            "field": "embedding", "query_vector": [float(x) for x in vector], "k": n, "num_candidates": 2 * n,
            "filter": mine,
        }  # fmt: skip
        common = {"size": n, "_source": ["passage_id"]}
        target = {"index": self._alias}
        with _translated():
            answer = self._client.msearch(
                searches=[target, {"query": words, **common}, target, {"knn": nearest, **common}]
            )
        by_words, by_vector = (_hits(part) for part in answer["responses"])
        return Candidates(list(by_words), [(passage, 2 * score - 1) for passage, score in by_vector.items()])

    def catch_up(self) -> int:
        """Bring the index to the database's state, one process at a time; the first time it is made from nothing."""
        now = state()
        first = PassageVectors.objects.filter(embedder=now.embedder).first()
        if first is None or not _claim():
            return 0
        try:
            with _translated():
                return self._catch_up(now, first.dimension)
        finally:
            KnowledgeState.objects.filter(pk=1).update(index_until=None)

    def _catch_up(self, now: KnowledgeState, dimension: int) -> int:
        index, taken = self._index_name(now), 0
        at = self._revision(index, dimension)
        if at > state().revision:  # the database was put back to an earlier day
            self._client.indices.delete(index=index)
            at = self._revision(index, dimension)
        if at < now.revision or at < 0:
            for change in changes_since(at, embedder=now.embedder):
                _claim(renew=True)
                self._apply(index, change)
                taken += len(change.documents)
        self._swap(index)
        return taken

    def _index_name(self, now: KnowledgeState) -> str:
        of = hashlib.sha256(f"{now.identity} {now.embedder}".encode()).hexdigest()[:10]
        return f"{self._alias}-{re.sub(r'[^a-z0-9]+', '-', now.embedder.lower()).strip('-')[:60]}-{of}"

    def _revision(self, index: str, dimension: int) -> int:
        """The revision an index is at; -1 for one that had to be made."""
        if self._client.indices.exists(index=index):
            mappings = self._client.indices.get_mapping(index=index)[index]["mappings"]
            return int(mappings.get("_meta", {}).get(META, {}).get("revision", -1))
        self._client.indices.create(index=index, mappings=mappings_for(dimension), settings={"number_of_shards": 1})
        return -1

    def _apply(self, index: str, change: Change) -> None:
        """Documents out, their windows in, and then the revision: cut off in the middle, it is done again."""
        from elasticsearch import helpers

        ids = [str(d.pk) for d in change.documents]
        self._client.indices.refresh(index=index)
        self._client.delete_by_query(
            index=index, query={"terms": {"document_id": ids}}, conflicts="proceed", refresh=True
        )
        _, refused = helpers.bulk(
            self._client, _actions(index, change), chunk_size=CHUNK, max_chunk_bytes=CHUNK_BYTES, max_retries=3,
            initial_backoff=1, raise_on_error=False, refresh="wait_for",
        )  # fmt: skip
        if isinstance(refused, list) and refused:
            raise BackendError(
                f"Elasticsearch refused {len(refused)} passages, the first with: {str(refused[0])[:300]}"
            )
        self._client.indices.put_mapping(index=index, meta={META: {"revision": change.revision}})

    def _swap(self, index: str) -> None:
        """Let the alias point at the index alone; the one it pointed at is removed."""
        pointed: dict[str, Any] = {}
        if self._client.indices.exists_alias(name=self._alias):
            pointed = dict(self._client.indices.get_alias(name=self._alias))
        old = [name for name in pointed if name != index]
        if index in pointed and not old:
            return
        removals: list[dict[str, Any]] = [{"remove": {"index": name, "alias": self._alias}} for name in old]
        self._client.indices.update_aliases(actions=[*removals, {"add": {"index": index, "alias": self._alias}}])
        for name in old:
            if name.startswith(f"{self._alias}-"):
                self._client.indices.delete(index=name)


def mappings_for(dimension: int) -> dict[str, Any]:
    """The mapping of an index: the customer's fields, and what ties a window to its passage."""
    return {
        "dynamic": "strict",
        "properties": {
            "content": {"type": "text", "analyzer": "english"},
            "embedding": {
                "type": "dense_vector", "dims": dimension, "similarity": "cosine",
                "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100},
            },
            "metadata": {"properties": {"department": {"type": "keyword"}, "doc_type": {"type": "keyword"}}},
            "document_id": {"type": "keyword"},
            "passage_id": {"type": "long"},
        },
    }  # fmt: skip


def _actions(index: str, change: Change) -> Iterator[dict[str, Any]]:
    """Deterministic ids, so that a batch that was sent twice is there once."""
    kinds = {d.pk: d.doc_type for d in change.documents}
    for row in change.rows:
        for number, window in enumerate(row.vectors.astype(np.float32)):
            yield {
                "_op_type": "index", "_index": index, "_id": f"{row.passage}:{number}", "content": row.words,
                "embedding": [float(x) for x in window], "document_id": str(row.document), "passage_id": row.passage,
                "metadata": {"department": str(row.department), "doc_type": kinds[row.document]},
            }  # fmt: skip


def _hits(answer: dict[str, Any]) -> dict[int, float]:
    """Passage → score of its best window, best first."""
    if "error" in answer:
        _raise(int(answer.get("status", 500)), str(answer["error"].get("reason", "")))
    found: dict[int, float] = {}
    for hit in answer["hits"]["hits"]:
        found.setdefault(hit["_source"]["passage_id"], hit["_score"])
    return found


def _raise(status: int, reason: str) -> None:
    raise BackendError(f"Elasticsearch answered {status}: {reason[:300]}", permanent=status in PERMANENT)


@contextmanager
def _translated() -> Iterator[None]:
    """The client's errors as BackendErrors: a refusal is permanent, all else may pass."""
    from elasticsearch import ApiError, TransportError, UnsupportedProductError

    try:
        yield
    except UnsupportedProductError as error:
        raise BackendError(f"ELASTICSEARCH_URL is no Elasticsearch: {error}", permanent=True) from None
    except ApiError as error:
        _raise(error.meta.status, str(error))
    except TransportError as error:
        raise BackendError(f"Elasticsearch cannot be reached: {type(error).__name__}: {str(error)[:200]}") from None


def _claim(*, renew: bool = False) -> bool:
    """Make this process the one that writes to the index; False while another is at it."""
    now = timezone.now()
    free = Q() if renew else Q(index_until__isnull=True) | Q(index_until__lt=now)
    return bool(KnowledgeState.objects.filter(free, pk=1).update(index_until=now + LEASE))
