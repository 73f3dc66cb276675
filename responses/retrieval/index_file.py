"""A search index in one SQLite file: words by FTS5, vectors as float16, each department's apart.

The file is a cache: it carries the revision it is at, every change is one transaction with it, and it can be deleted
at any time. A file that is damaged, or of another database, is started anew.
"""

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from responses.retrieval.matrix import Matrix

logger = logging.getLogger(__name__)
FORMAT = 1
MAX_TERMS = 8
TOKENIZE = "porter unicode61 remove_diacritics 2"
_WORD = re.compile(r"[^\W_]{2,}")
STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "but",
        "by",
        "can",
        "could",
        "dear",
        "did",
        "do",
        "does",
        "done",
        "for",
        "from",
        "get",
        "got",
        "had",
        "has",
        "have",
        "he",
        "hello",
        "her",
        "hi",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "kind",
        "know",
        "like",
        "may",
        "me",
        "more",
        "my",
        "need",
        "no",
        "not",
        "now",
        "of",
        "on",
        "one",
        "only",
        "or",
        "our",
        "out",
        "please",
        "regards",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "thank",
        "thanks",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "up",
        "us",
        "very",
        "want",
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
    ]
)


@dataclass(frozen=True)
class Row:
    """A passage to index: `words` is what is searched by words, `vectors` float (windows, dimension)."""

    passage: int
    department: int
    document: int
    words: str
    vectors: np.ndarray


class IndexFile:
    """Opened by any number of processes; safe to share between threads."""

    def __init__(self, path: Path, *, identity: str, dimension: int):
        self.path, self._identity, self._dimension = path, identity, dimension
        self._lock = Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        try:
            self._connect()
        except sqlite3.OperationalError:
            raise  # busy, or no room: not damaged
        except sqlite3.DatabaseError as error:
            logger.warning("%s is damaged and is built again: %s", self.path, error)
            self._start_anew()

    def _connect(self) -> None:
        self._connection = db = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        with self._transaction():
            db.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value)")
            meta = dict(db.execute("SELECT name, value FROM meta"))
            mine = {"format": FORMAT, "identity": self._identity, "dimension": self._dimension}
            if meta and {k: meta.get(k) for k in mine} != mine:
                raise sqlite3.DatabaseError("of another desk or embedder")
            if not meta:
                db.executemany("INSERT INTO meta VALUES (?, ?)", [*mine.items(), ("revision", -1)])
                db.execute(
                    "CREATE TABLE passage (id INTEGER PRIMARY KEY, department INTEGER, document INTEGER, vectors BLOB)"
                )
                db.execute("CREATE INDEX passage_document ON passage(document)")
        db.execute(f"CREATE VIRTUAL TABLE temp.query USING fts5(word, tokenize='{TOKENIZE}')")
        db.execute("CREATE VIRTUAL TABLE temp.query_terms USING fts5vocab('temp', 'query', 'instance')")
        self._vocabularies: set[int] = set()

    def start_anew(self) -> None:
        """Throw away what is there, whatever its state."""
        with self._lock:
            self._start_anew()

    def _start_anew(self) -> None:
        self._connection.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self._connect()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @property
    def revision(self) -> int:
        """-1 for a new file. A file that somebody deleted or damaged is started anew."""
        with self._lock:
            try:
                if self.path.exists():
                    return self._revision()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                logger.warning("%s is damaged and is built again: %s", self.path, error)
            self._start_anew()
            return self._revision()

    def _revision(self) -> int:
        return self._connection.execute("SELECT value FROM meta WHERE name = 'revision'").fetchone()[0]

    def apply(self, *, before: int, revision: int, documents: Sequence[int], rows: Sequence[Row]) -> bool:
        """Put `rows` in the place of what is there of `documents`, in one transaction with the revision.

        False, and nothing is done, when the file is not at `before`: another process was quicker.
        """
        with self._lock, self._transaction():
            if self._revision() != before:
                return False
            for document in documents:
                self._remove(document)
            for department in {row.department for row in rows}:
                self._connection.execute(
                    f"CREATE VIRTUAL TABLE IF NOT EXISTS words_{department:d} USING fts5(words, tokenize='{TOKENIZE}')"
                )
            for row in rows:
                self._connection.execute(
                    f"INSERT INTO words_{row.department:d}(rowid, words) VALUES (?, ?)", (row.passage, row.words)
                )
            self._connection.executemany(
                "INSERT INTO passage VALUES (?, ?, ?, ?)",
                [(r.passage, r.department, r.document, r.vectors.astype(np.float16).tobytes()) for r in rows],
            )
            self._connection.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (revision,))
            return True

    def _remove(self, document: int) -> None:
        found = self._connection.execute(
            "SELECT id, department FROM passage WHERE document = ?", (document,)
        ).fetchall()
        for passage, department in found:
            self._connection.execute(f"DELETE FROM words_{department:d} WHERE rowid = ?", (passage,))
        self._connection.execute("DELETE FROM passage WHERE document = ?", (document,))

    def matrix(self) -> Matrix:
        """All vectors, read at one revision."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                revision = self._revision()
                rows = self._connection.execute(
                    "SELECT id, department, vectors FROM passage ORDER BY department, id"
                ).fetchall()
            finally:
                self._connection.execute("COMMIT")
        vectors = np.frombuffer(b"".join(v for _, _, v in rows), dtype=np.float16).astype(np.float32)
        counts = np.array([len(v) for _, _, v in rows], dtype=np.int64) // (2 * self._dimension)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64) if rows else np.zeros(0, np.int64)
        departments = np.array([d for _, d, _ in rows], dtype=np.int64)
        edges = {
            int(d): slice(int(np.searchsorted(departments, d)), int(np.searchsorted(departments, d, side="right")))
            for d in np.unique(departments)
        }
        passages = np.array([p for p, _, _ in rows], dtype=np.int64)
        return Matrix(revision, vectors.reshape(-1, self._dimension), passages, starts, edges)

    def words(self, text: str, department: int, n: int) -> list[int]:
        """The n best passages of a department by BM25 of the text's rarest words, best first.

        Every word is quoted, so that no syntax slips in; words that stand in no passage are left out.
        """
        with self._lock:
            if not self._has_words(department):
                return []
            terms = self._rarest(text, department)
            if not terms:
                return []
            query = " OR ".join(f'"{word}"' for word in terms)
            table = f"words_{department:d}"
            found = self._connection.execute(
                f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY rank, rowid LIMIT ?", (query, n)
            )
            return [passage for (passage,) in found]

    def _has_words(self, department: int) -> bool:
        name = f"words_{department:d}"
        there = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        if there and department not in self._vocabularies:
            self._connection.execute(
                f"CREATE VIRTUAL TABLE temp.vocabulary_{department:d} USING fts5vocab('main', '{name}', 'row')"
            )
            self._vocabularies.add(department)
        return bool(there)

    def _rarest(self, text: str, department: int) -> list[str]:
        """The rarest words, stemmed as FTS5 does it: the query is indexed as a document of its own to learn its terms."""
        words = sorted({w for w in map(str.lower, _WORD.findall(text)) if w not in STOP_WORDS})
        db = self._connection
        db.execute("DELETE FROM temp.query")
        db.executemany("INSERT INTO temp.query(rowid, word) VALUES (?, ?)", list(enumerate(words)))
        found = db.execute(
            f"SELECT min(q.doc), v.doc FROM temp.query_terms q JOIN temp.vocabulary_{department:d} v USING (term) "
            "GROUP BY term ORDER BY v.doc, term LIMIT ?",
            (MAX_TERMS,),
        )
        return [words[position] for position, _ in found]
