"""Measures a predictor on labelled emails it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from sklearn.metrics import f1_score
from tqdm import tqdm

from ml.calibration import expected_calibration_error
from ml.data import Example
from ml.errors import DataError
from ml.intervals import wilson_interval
from ml.predictor import Predictor


@dataclass(frozen=True)
class Outcome:
    """One evaluated email: what was said and what was right."""

    department: str
    type: str
    subtype: str
    predicted_type: str
    predicted_subtype: str
    type_confidence: float
    subtype_confidence: float
    latency_ms: float


def run(predictor: Predictor, examples: Sequence[Example], *, progress: bool = False) -> list[Outcome]:
    """Predict every example, one at a time as in production."""
    if not examples:
        raise DataError("there are no rows to evaluate on")
    outcomes = []
    for e in tqdm(examples, desc="evaluating", unit="email", disable=not progress):
        start = perf_counter()
        s = predictor.predict(e.department, e.subject, e.body)
        took = (perf_counter() - start) * 1000
        outcomes.append(
            Outcome(
                e.department, e.type, e.subtype, s.type, s.subtype or "", s.type_confidence, s.subtype_confidence, took
            )
        )
    return outcomes


def report(outcomes: Sequence[Outcome], *, threshold: float = 0.3) -> dict:
    """Accuracy with its interval, macro-F1 and calibration for both heads, whole and per department."""
    departments = sorted({o.department for o in outcomes})
    latency = np.array([o.latency_ms for o in outcomes])
    return {
        "n": len(outcomes),
        "type": _figures([(o.type, o.predicted_type, o.type_confidence) for o in outcomes]),
        "subtype": _figures(
            [
                (f"{o.department}/{o.subtype}", f"{o.department}/{o.predicted_subtype}", o.subtype_confidence)
                for o in outcomes
            ]
        ),
        "share_under_threshold": round(float(np.mean([o.subtype_confidence < threshold for o in outcomes])), 4),
        "latency_ms": {p: round(float(np.percentile(latency, q)), 2) for p, q in (("p50", 50), ("p95", 95))},
        "per_department": {
            d: {
                "n": sum(o.department == d for o in outcomes),
                "type_accuracy": _share([o.type == o.predicted_type for o in outcomes if o.department == d]),
                "subtype_accuracy": _share([o.subtype == o.predicted_subtype for o in outcomes if o.department == d]),
            }
            for d in departments
        },
    }


def _figures(rows: Sequence[tuple[str, str, float]]) -> dict:
    truth, said, confidence = (np.array(column) for column in zip(*rows, strict=True))
    correct = truth == said
    low, high = wilson_interval(int(correct.sum()), len(correct))
    return {
        "accuracy": _share(correct),
        "accuracy_interval": [round(low, 4), round(high, 4)],
        "macro_f1": round(float(f1_score(truth, said, labels=np.unique(truth), average="macro", zero_division=0)), 4),
        "ece": round(expected_calibration_error(confidence, correct), 4),
    }


def _share(flags: Sequence[bool]) -> float:
    return round(float(np.mean(flags)), 4)
