"""Search among 100,000 passages: how long, how exact, and how it grows.

Vectors are 400 clusters with noise, so that neighbours exist; words are drawn from a Zipf-like vocabulary of 40,000.
"""

from pathlib import Path
from time import perf_counter

import numpy as np

from responses.retrieval.base import CANDIDATES
from responses.retrieval.fusion import reciprocal_rank_fusion
from responses.retrieval.index_file import IndexFile, Row

DIMENSION, DEPARTMENTS, WORDS, QUERIES = 768, 9, 90, 200
BATCH = 5_000


def run(work: Path) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    took = {}
    for n in (10_000, 100_000):
        index, vectors, departments = _build(work / f"index-{n}.sqlite3", n)
        start = perf_counter()
        matrix = index.matrix()
        loaded = perf_counter() - start
        took[n], recall = _search(index, matrix, vectors, departments)
        p50, p95 = np.percentile(took[n], [50, 95]) * 1000
        rows += [
            (f"{n:,} passages, {DIMENSION}-d: hybrid search in a department", f"{p50:.1f} ms median, {p95:.1f} ms p95"),
            ("  recall@5 of the vectors against float64 exact search", f"{recall:.4f}"),
            ("  matrix read into memory", f"{loaded:.2f} s, {matrix.vectors.nbytes / 2**20:.0f} MB"),
        ]
    growth = np.median(took[100_000]) / np.median(took[10_000])
    return [*rows, ("ten times the passages", f"{growth:.1f} x the time")]


def _build(path: Path, n: int):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(400, DIMENSION))
    index, at = IndexFile(path, identity="bench", dimension=DIMENSION), -1
    everything, places = [], []
    for start in range(0, n, BATCH):
        count = min(BATCH, n - start)
        vectors = centres[rng.integers(0, 400, count)] + 0.7 * rng.normal(size=(count, DIMENSION))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        departments = rng.integers(0, DEPARTMENTS, count)
        rows = [
            Row(start + i, int(departments[i]), start + i, _text(rng), vectors[i : i + 1].astype(np.float32))
            for i in range(count)
        ]
        index.apply(before=at, revision=start, documents=[], rows=rows)
        at = start
        everything.append(vectors)
        places.append(departments)
    return index, np.concatenate(everything), np.concatenate(places)


def _text(rng: np.random.Generator, words: int = WORDS) -> str:
    return " ".join(f"w{i}" for i in np.minimum(rng.zipf(1.2, words), 40_000))


def _search(index: IndexFile, matrix, vectors: np.ndarray, departments: np.ndarray) -> tuple[list[float], float]:
    rng = np.random.default_rng(1)
    took, right = [], 0
    for _ in range(QUERIES):
        picked = int(rng.integers(0, len(vectors)))
        query = vectors[picked] + 0.02 * rng.normal(size=DIMENSION)
        query = (query / np.linalg.norm(query)).astype(np.float32)
        department, text = int(departments[picked]), _text(rng, 60)
        start = perf_counter()
        nearest = matrix.nearest(query, department, CANDIDATES)
        by_words = index.words(text, department, CANDIDATES)
        reciprocal_rank_fusion([[p for p, _ in nearest], by_words])
        took.append(perf_counter() - start)
        rows = np.flatnonzero(departments == department)
        exact = rows[np.argsort(-(vectors[rows] @ query.astype(np.float64)))[:5]]
        right += len(set(exact.tolist()) & {p for p, _ in nearest[:5]})
    return took, right / (5 * QUERIES)
