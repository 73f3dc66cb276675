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
    """Rows whose label confident learning doubts, likeliest error first.

    The probabilities must be out of sample, which those of an evaluation are. Source: Northcutt,
    Jiang, Chuang, "Confident Learning" (2021), by cleanlab.
    """
    from cleanlab.filter import find_label_issues

    classes = sorted(
        {(o.example.department, s) for o in outcomes for s in [o.example.subtype, *dict(o.scores.subtypes)]}
    )
    index = {c: i for i, c in enumerate(classes)}
    if len(outcomes) < FEWEST or len({(o.example.department, o.example.subtype) for o in outcomes}) < 2:
        return []
    probabilities = np.zeros((len(outcomes), len(classes)))
    for row, o in enumerate(outcomes):
        for slug, p in o.scores.subtypes:
            probabilities[row, index[o.example.department, slug]] = p
        if not o.scores.subtypes:
            probabilities[row, index[o.example.department, o.example.subtype]] = 1.0
    labels = np.array([index[o.example.department, o.example.subtype] for o in outcomes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it remarks on each class of few rows
        found = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [_row(int(i), outcomes[int(i)]) for i in found[:shown]]


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
