"""Retrieval in the process itself: an exact vector scan and FTS5, both rebuilt from the database.

The passages in the database are the truth. What a process holds is a cache that is made
again when their number or latest id has changed.
"""

import re
import sqlite3
from threading import Lock

import numpy as np
from django.conf import settings
from django.db.models import Count, Max

from responses.models import Passage
from responses.retrieval.base import Hit
from responses.retrieval.fusion import reciprocal_rank_fusion

CANDIDATES = 50
MAX_TERMS = 8
_WORD = re.compile(r"[^\W_]{2,}")
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "hi",
        "hello",
        "dear",
        "please",
        "thanks",
        "thank",
        "regards",
    ]
)


class EmbeddedRetriever:
    name = "embedded"

    def __init__(self) -> None:
        self._lock = Lock()
        self._revision: tuple | None = None

    def search(self, *, text: str, vector: np.ndarray, department_id: int, k: int = 5) -> list[Hit]:
        with self._lock:
            self._catch_up()
            rows = self._by_department.get(department_id)
            if rows is None:
                return []
            similarity = self._matrix[rows] @ vector
            by_vector = [int(rows[i]) for i in np.argsort(-similarity)[:CANDIDATES]]
            by_words = self._lexical(text, department_id)
        scores = dict(zip((int(r) for r in rows), similarity, strict=True))
        best = reciprocal_rank_fusion([by_vector, by_words])[:k]
        return [self._hit(row, float(scores[row])) for row in best]

    def _catch_up(self) -> None:
        known = Passage.objects.filter(embedder=settings.EMBEDDER)
        revision = tuple(known.aggregate(n=Count("pk"), latest=Max("pk")).values())
        if revision == self._revision:
            return
        passages = list(known.select_related("document").order_by("pk"))
        self._passages = passages
        self._matrix = np.array([np.frombuffer(p.embedding, np.float32) for p in passages], dtype=np.float32)
        departments = np.array([p.document.department_id for p in passages])
        self._by_department = {int(d): np.flatnonzero(departments == d) for d in np.unique(departments)}
        self._index = self._build_index(passages)
        self._revision = revision

    def _build_index(self, passages: list[Passage]) -> sqlite3.Connection:
        index = sqlite3.connect(":memory:", check_same_thread=False)
        index.execute(
            "CREATE VIRTUAL TABLE passage USING fts5(text, department UNINDEXED, tokenize='porter unicode61')"
        )
        index.executemany(
            "INSERT INTO passage(rowid, text, department) VALUES (?, ?, ?)",
            [(i, f"{p.document.title} {p.heading} {p.text}", p.document.department_id) for i, p in enumerate(passages)],
        )
        index.execute("CREATE VIRTUAL TABLE term USING fts5vocab(passage, row)")
        return index

    def _lexical(self, text: str, department_id: int) -> list[int]:
        """Rows by BM25 of the query's rarest words; every word is quoted, so that no syntax slips in."""
        words = {w for w in map(str.lower, _WORD.findall(text)) if w not in _STOP}
        if not words:
            return []
        rarest = sorted(words, key=lambda w: (self._frequency(w), w))[:MAX_TERMS]
        query = " OR ".join(f'"{w}"' for w in rarest)
        found = self._index.execute(
            "SELECT rowid FROM passage WHERE passage MATCH ? AND department = ? ORDER BY rank LIMIT ?",
            (query, department_id, CANDIDATES),
        )
        return [row for (row,) in found]

    def _frequency(self, word: str) -> int:
        """In how many passages a word stands; unknown ones count as common, since they match nothing."""
        stem = word.rstrip("s")
        row = self._index.execute("SELECT doc FROM term WHERE term >= ? ORDER BY term LIMIT 1", (stem,)).fetchone()
        return row[0] if row else len(self._passages)

    def _hit(self, row: int, score: float) -> Hit:
        p = self._passages[row]
        return Hit(p.pk, p.document.title, p.document.doc_type, p.heading, p.text, score)
