"""How well retrieval finds what answers: recall and reciprocal rank by each list, and what declining costs.

Files in the layout of BEIR and MTRAG: passages `{id, department, title, text}`, queries `{id, department, text,
history: [[speaker, text], …], answerability}`, judgements `query_id, doc_id, score` with tabs between.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ml.embedding import Embedder
from ml.files import open_binary
from responses.retrieval.base import CANDIDATES, Query
from responses.retrieval.fusion import reciprocal_rank_fusion
from responses.retrieval.index_file import IndexFile, Row
from reviewdesk.errors import DeskError

K, RANKS = 5, 10
METHODS = ("lexical", "vector", "hybrid")
DECLINED = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
BATCH = 64


@dataclass(frozen=True)
class Found:
    """Ranked passage ids of one query by each method, the best cosine, and which passages are judged relevant."""

    ranked: dict[str, list[str]]
    best: float
    relevant: frozenset[str]
    answerable: bool


def read_jsonl(file: Path) -> list[dict]:
    """Raises DeskError naming the line that is no JSON object."""
    rows = []
    try:
        with open_binary(file) as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    rows.append(json.loads(line))
                    if not isinstance(rows[-1], dict) or "id" not in rows[-1]:
                        raise DeskError(f"{file}, line {number}: is no object with an id")
    except ValueError:
        raise DeskError(f"{file}, line {len(rows) + 1}: is not JSON") from None
    except OSError as error:
        raise DeskError(f"{file}: {error.strerror}") from None
    return rows


def read_judgements(file: Path) -> dict[str, frozenset[str]]:
    """Query id → the passages judged relevant to it."""
    found: dict[str, set[str]] = defaultdict(set)
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t")
            for row in rows:
                if float(row["score"]) > 0:
                    found[row["query_id"]].add(row["doc_id"])
    except OSError as error:
        raise DeskError(f"{file}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        raise DeskError(f"{file}, line {rows.line_num}: needed are query_id, doc_id and score as a number") from None
    return {query: frozenset(passages) for query, passages in found.items()}


def turns_of(query: dict) -> list[str]:
    """What the customer has said, newest turn first."""
    return [query["text"], *(text for speaker, text in reversed(query.get("history", [])) if speaker == "user")]


def run(
    passages: Sequence[dict],
    queries: Sequence[dict],
    judgements: dict[str, frozenset[str]],
    embedder: Embedder,
    watch: Callable[[int, int], object] = lambda done, total: None,
) -> list[Found]:
    """Search every query in an index of its own, within its department."""
    departments = {d: i for i, d in enumerate(sorted({p["department"] for p in passages}))}
    with TemporaryDirectory() as folder:
        index = IndexFile(Path(folder) / "index.sqlite3", identity="evaluation", dimension=embedder.dimension)
        for start in range(0, len(passages), BATCH):
            rows = [
                Row(start + i, departments[p["department"]], start + i, f"{p.get('title', '')} {p['text']}",
                    embedder.encode_passage(p.get("title", ""), p["text"]))
                for i, p in enumerate(passages[start : start + BATCH])
            ]  # fmt: skip
            index.apply(before=index.revision, revision=start, documents=[], rows=rows)
            watch(min(start + BATCH, len(passages)), len(passages) + len(queries))
        matrix, found = index.matrix(), []
        for number, query in enumerate(queries):
            asked = Query(turns_of(query), departments.get(query["department"], -1))
            nearest = matrix.nearest(asked.vector(embedder), asked.department_id, CANDIDATES)
            by_words = index.words(asked.words, asked.department_id, CANDIDATES)
            lists = {"lexical": by_words, "vector": [p for p, _ in nearest]}
            lists["hybrid"] = reciprocal_rank_fusion([lists["vector"], lists["lexical"]])
            ranked = {m: [passages[p]["id"] for p in lists[m][:RANKS]] for m in METHODS}
            best = nearest[0][1] if nearest else 0.0
            found.append(
                Found(
                    ranked, best, judgements.get(query["id"], frozenset()), query.get("answerability") != "UNANSWERABLE"
                )
            )
            watch(len(passages) + number + 1, len(passages) + len(queries))
    return found


def report(found: Sequence[Found], *, seed: int = 42, draws: int = 2000) -> dict[str, Any]:
    """The figures, each with a 95% bootstrap interval over queries that have a judgement."""
    judged = [f for f in found if f.relevant]
    rng = np.random.default_rng(seed)
    resamples = rng.integers(0, len(judged), (draws, len(judged))) if judged else np.zeros((0, 0), int)
    figures: dict[str, Any] = {"n": len(judged)}
    for method in METHODS:
        figures[method] = {
            **_figure(f"recall@{K}", [recall(f.ranked[method], f.relevant) for f in judged], resamples),
            **_figure(f"mrr@{RANKS}", [reciprocal_rank(f.ranked[method], f.relevant) for f in judged], resamples),
        }
    figures["no_source"] = declining(
        [f.best for f in found if f.answerable], [f.best for f in found if not f.answerable]
    )
    return figures


def _figure(name: str, values: Sequence[float], resamples: np.ndarray) -> dict[str, Any]:
    if not values:
        return {name: None, f"{name}_interval": None}
    means = np.asarray(values)[resamples].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {name: round(float(np.mean(values)), 4), f"{name}_interval": [round(float(low), 4), round(float(high), 4)]}


def recall(ranked: Sequence[str], relevant: Iterable[str], k: int = K) -> float:
    """Share of the relevant passages among the first k."""
    wanted = set(relevant)
    return len(wanted & set(ranked[:k])) / len(wanted)


def reciprocal_rank(ranked: Sequence[str], relevant: Iterable[str]) -> float:
    """1 / rank of the first relevant passage; 0 without one."""
    wanted = set(relevant)
    return next((1 / rank for rank, passage in enumerate(ranked, 1) if passage in wanted), 0.0)


def declining(answerable: Sequence[float], unanswerable: Sequence[float]) -> dict[str, Any]:
    """Where a bar on the best cosine declines so much of the answerable, how much of the unanswerable it declines."""
    if not answerable or not unanswerable:
        return {"n_answerable": len(answerable), "n_unanswerable": len(unanswerable), "curve": []}
    curve = []
    for share in DECLINED:
        bar = float(np.quantile(answerable, share))
        curve.append({
            "bar": round(bar, 4), "answerable_declined": share,
            "unanswerable_declined": round(float(np.mean(np.asarray(unanswerable) < bar)), 4),
        })  # fmt: skip
    return {"n_answerable": len(answerable), "n_unanswerable": len(unanswerable), "curve": curve}
