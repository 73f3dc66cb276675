"""Rows worth a second look: mistakes the model was sure of, and labels that are probably wrong."""

import warnings
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ml.data import Example
from ml.scoring import Scores

SHOWN = 25
EXCERPT = 240
FEWEST = 20  # rows to look for label errors in
Label = tuple[str, str]  # department, subtype


class Judged(Protocol):
    """What is needed of an `evaluation.Outcome`."""

    @property
    def example(self) -> Example: ...
    @property
    def scores(self) -> Scores: ...
    @property
    def correct(self) -> bool: ...


def confident_mistakes(outcomes: Sequence[Judged], shown: int = SHOWN) -> list[dict]:
    """Wrong answers, surest first."""
    wrong = [(i, o) for i, o in enumerate(outcomes) if not o.correct]
    wrong.sort(key=lambda pair: -pair[1].scores.subtype_confidence)
    return [_row(i, o) for i, o in wrong[:shown]]


def label_errors(outcomes: Sequence[Judged], shown: int = SHOWN) -> list[dict]:
    """Rows whose label confident learning doubts, likeliest error first."""
    labels = [(o.example.department, o.example.subtype) for o in outcomes]
    found = doubted([(labels[i], o.scores.subtypes) for i, o in enumerate(outcomes)])
    return [_row(i, outcomes[i]) for i in found[:shown]]


def doubted(rows: Sequence[tuple[Label, Sequence[tuple[str, float]]]]) -> list[int]:
    """Positions of the rows whose label is doubted, likeliest error first; none of fewer than FEWEST rows.

    Each row is ((department, subtype), [(subtype, probability), …]). The probabilities must be out of sample. Source:
    Northcutt, Jiang, Chuang, "Confident Learning" (2021), by cleanlab.
    """
    from cleanlab.filter import find_label_issues

    labels = [label for label, _ in rows]
    if len(rows) < FEWEST or len(set(labels)) < 2:
        return []
    classes = sorted({(label[0], slug) for label, said in rows for slug in [label[1], *dict(said)]})
    index = {c: i for i, c in enumerate(classes)}
    probabilities = np.zeros((len(rows), len(classes)))
    for row, (label, said) in enumerate(rows):
        for slug, p in said or [(label[1], 1.0)]:
            probabilities[row, index[label[0], slug]] = p
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it remarks on each class of few rows
        given = np.array([index[label] for label in labels])
        found = find_label_issues(given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [int(i) for i in found]


def _row(i: int, o: Judged) -> dict:
    e, s = o.example, o.scores
    text = f"{e.subject} — {e.body}" if e.subject else e.body
    return {
        "row": i,
        "department": e.department,
        "label": e.subtype,
        "said": s.subtype or "",
        "confidence": round(s.subtype_confidence, 4),
        "label_probability": round(dict(s.subtypes).get(e.subtype, 0.0), 4),
        "text": " ".join(text.split())[:EXCERPT],
    }
