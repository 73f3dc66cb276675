"""Retrieval on this machine: an index file beside the database, and its vectors in the memory of each process.

Every search first asks the database for its revision and takes over what changed.
"""

import logging
import re
import sqlite3
from threading import Lock

import numpy as np
from django.conf import settings

from responses.models import KnowledgeState, PassageVectors
from responses.retrieval.base import CANDIDATES, Candidates, Query
from responses.retrieval.changes import changes_since, state
from responses.retrieval.index_file import IndexFile, Matrix

logger = logging.getLogger(__name__)


class EmbeddedRetriever:
    name = "embedded"

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[str, str] = ("", "")
        self._file: IndexFile | None = None
        self._matrix: Matrix | None = None

    def candidates(self, query: Query, vector: np.ndarray, n: int = CANDIDATES) -> Candidates:
        try:
            return self._candidates(query, vector, n)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            logger.warning("the index is damaged and is built again: %s", error)
            with self._lock:
                if self._file is not None:
                    self._file.start_anew()
                self._matrix = None
            return self._candidates(query, vector, n)

    def _candidates(self, query: Query, vector: np.ndarray, n: int) -> Candidates:
        with self._lock:
            file, _ = self._caught_up()
            if file is None:
                return Candidates([], [])
            if self._matrix is None or self._matrix.revision != file.revision:
                self._matrix = file.matrix()
            matrix = self._matrix
        nearest = matrix.nearest(vector, query.department_id, n)
        return Candidates(file.words(query.words, query.department_id, n), nearest)

    def catch_up(self) -> int:
        with self._lock:
            return self._caught_up()[1]

    def _caught_up(self) -> tuple[IndexFile | None, int]:
        """The index file at the database's revision, and how many documents it took over; None without any vectors."""
        now, taken = state(), 0
        file = self._opened(now)
        if file is None:
            return None, 0
        at = file.revision
        if at > now.revision and at > state().revision:  # the database was put back to an earlier day
            file.start_anew()
            at, self._matrix = file.revision, None
        if at < now.revision or at < 0:
            for change in changes_since(at, embedder=now.embedder):
                documents = [d.pk for d in change.documents]
                if not file.apply(before=at, revision=change.revision, documents=documents, rows=change.rows):
                    break  # another process is at it; the next search sees its work
                at, taken = change.revision, taken + len(documents)
        return file, taken

    def _opened(self, now: KnowledgeState) -> IndexFile | None:
        key = (str(now.identity), now.embedder)
        if self._file is None or self._key != key:
            first = PassageVectors.objects.filter(embedder=now.embedder).first()
            if first is None:
                return None
            name = re.sub(r"[^\w.-]+", "-", now.embedder).strip("-")
            path = settings.VAR_DIR / "index" / f"{name}.sqlite3"
            self._file, self._key = IndexFile(path, identity=key[0], dimension=first.dimension), key
            self._matrix = None
        return self._file
