"""Measures a predictor on labelled emails it was not trained on, and puts everything into one report.

`run` asks the predictor one email at a time, as in production; `report` turns the outcomes into a
JSON-ready dictionary, which the desk draws as a page.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from ml.artifact import Artifact, data_hash
from ml.calibration import calibration_bins, expected_calibration_error, risk_coverage, simulate_perfect_ece
from ml.data import Example
from ml.errors import DataError
from ml.intervals import wilson_interval
from ml.predictor import Predictor
from ml.progress import Progress, Watch, unwatched
from ml.scoring import Scores
from ml.stress import stress_cases
from ml.suspects import confident_mistakes, label_errors

SMALLEST = 1e-6  # probability of an answer that the model could not give, in the log loss
GAP_HEALTHY, GAP_OVERFIT = 0.03, 0.07


@dataclass(frozen=True)
class Outcome:
    """One evaluated email: what was right, what was said, and how long it took."""

    example: Example
    scores: Scores
    latency_ms: float

    @property
    def correct(self) -> bool:
        return self.example.subtype == self.scores.subtype


def run(predictor: Predictor, examples: Sequence[Example], *, watch: Watch = unwatched) -> list[Outcome]:
    """Predict every example. Raises DataError when there is none."""
    if not examples:
        raise DataError("there are no rows to evaluate on")
    outcomes = []
    for i, e in enumerate(examples):
        start = perf_counter()
        scores = predictor.predict(e.department, e.subject, e.body)
        outcomes.append(Outcome(e, scores, (perf_counter() - start) * 1000))
        watch(Progress("evaluating", i + 1, len(examples)))
    return outcomes


def report(outcomes: Sequence[Outcome], *, threshold: float = 0.3) -> dict:
    """Figures of both answers, whole and per department, with intervals, calibration and confusions."""
    latency = np.array([o.latency_ms for o in outcomes])
    by_department: dict[str, list[Outcome]] = {}
    for o in outcomes:
        by_department.setdefault(o.example.department, []).append(o)
    return {
        "n": len(outcomes),
        "data_sha256": data_hash([o.example for o in outcomes]),
        "type": _type_figures(outcomes),
        "subtype": _subtype_figures(outcomes),
        "share_under_threshold": _share([o.scores.subtype_confidence < threshold for o in outcomes]),
        "share_out_of_scope": _share([o.scores.out_of_scope for o in outcomes]),
        "latency_ms": {p: round(float(np.percentile(latency, q)), 2) for p, q in (("p50", 50), ("p95", 95))},
        "per_department": {d: _department(by_department[d]) for d in sorted(by_department)},
        "confident_mistakes": confident_mistakes(outcomes),
        "label_errors": label_errors(outcomes),
    }


def full_report(
    predictor: Predictor, examples: Sequence[Example], *, threshold: float = 0.3, watch: Watch = unwatched
) -> dict:
    """`report` with what concerns the model rather than the rows: gap to training, unknown labels, stress cases."""
    figures = report(run(predictor, examples, watch=watch), threshold=threshold)
    return figures | {
        "model": predictor.version,
        "runtime": predictor.runtime.name,
        "threshold": threshold,
        "gap": gap(predictor.artifact, figures),
        "unknown_labels": unknown_labels(predictor.artifact, examples),
        "held_out_departments": predictor.artifact.manifest.get("notes", {}).get("held_out_departments", {}),
        "rare_subtypes": predictor.artifact.manifest.get("notes", {}).get("rare_subtypes", {}),
        "stress": stress_cases(predictor),
    }


def gap(artifact: Artifact, figures: dict) -> dict | None:
    """Accuracy on the training rows minus here, and whether that means overfitting; None where it is not known."""
    trained = artifact.manifest.get("notes", {}).get("train_accuracy")
    if not trained:
        return None
    found = {head: round(trained[head] - figures[head]["accuracy"], 4) for head in ("type", "subtype")}
    worst = max(found.values())
    verdict = "healthy" if worst <= GAP_HEALTHY else "overfitting" if worst > GAP_OVERFIT else "watch"
    return {"train": trained, "difference": found, "verdict": verdict}


def unknown_labels(artifact: Artifact, examples: Sequence[Example]) -> dict[str, int]:
    """`department/subtype` → rows, for labels the heads were not trained on; they count as wrong unless prototypes know them."""
    index = artifact.space.index
    return dict(
        Counter(f"{e.department}/{e.subtype}" for e in examples if (e.department, e.subtype) not in index).most_common()
    )


def _type_figures(outcomes: Sequence[Outcome]) -> dict:
    truth = [o.example.type for o in outcomes]
    said = [o.scores.type for o in outcomes]
    figures = _figures(
        truth,
        said,
        [o.scores.type_confidence for o in outcomes],
        [dict(o.scores.types).get(o.example.type, 0.0) for o in outcomes],
    )
    return figures | {"confusion": _matrix(truth, said)}


def _subtype_figures(outcomes: Sequence[Outcome]) -> dict:
    truth = [f"{o.example.department}/{o.example.subtype}" for o in outcomes]
    said = [f"{o.example.department}/{o.scores.subtype or ''}" for o in outcomes]
    confidence = [o.scores.subtype_confidence for o in outcomes]
    of_truth = [dict(o.scores.subtypes).get(o.example.subtype, 0.0) for o in outcomes]
    pairs = Counter((t, s) for t, s in zip(truth, said, strict=True) if t != s).most_common(40)
    return _figures(truth, said, confidence, of_truth) | {
        "confusion_pairs": [{"truth": t, "said": s, "n": n} for (t, s), n in pairs],
        "risk_coverage": risk_coverage(np.array(confidence), np.array([o.correct for o in outcomes])),
    }


def _figures(truth: list[str], said: list[str], confidence: list[float], of_truth: list[float]) -> dict:
    right, sure = np.array(truth) == np.array(said), np.array(confidence)
    low, high = wilson_interval(int(right.sum()), len(right))
    classes = sorted(set(truth))
    precision, recall, f1, n = precision_recall_fscore_support(truth, said, labels=classes, zero_division=0)
    return {
        "accuracy": _share(right),
        "accuracy_interval": [round(low, 4), round(high, 4)],
        "macro_precision": round(float(precision.mean()), 4),
        "macro_recall": round(float(recall.mean()), 4),
        "macro_f1": round(float(f1.mean()), 4),
        "ece": round(expected_calibration_error(sure, right), 4),
        "ece_if_perfect": asdict(simulate_perfect_ece(sure)),
        "log_loss": round(float(-np.log(np.clip(of_truth, SMALLEST, 1)).mean()), 4) + 0.0,
        "calibration": calibration_bins(sure, right),
        "per_class": [
            {
                "label": c,
                "n": int(k),
                "precision": round(float(p), 4),
                "recall": round(float(r), 4),
                "f1": round(float(f), 4),
            }
            for c, p, r, f, k in zip(classes, precision, recall, f1, n, strict=True)
        ],
    }


def _matrix(truth: list[str], said: list[str]) -> dict:
    """Rows are the truth, columns what was said."""
    labels = sorted(set(truth) | set(said))
    counts = Counter(zip(truth, said, strict=True))
    return {"labels": labels, "counts": [[counts[t, s] for s in labels] for t in labels]}


def _department(outcomes: Sequence[Outcome]) -> dict:
    figures: dict = {"n": len(outcomes)}
    for head, flags in (
        ("type", [o.example.type == o.scores.type for o in outcomes]),
        ("subtype", [o.correct for o in outcomes]),
    ):
        low, high = wilson_interval(sum(flags), len(flags))
        figures[f"{head}_accuracy"] = _share(flags)
        figures[f"{head}_interval"] = [round(low, 4), round(high, 4)]
    truth, said = [o.example.subtype for o in outcomes], [o.scores.subtype or "" for o in outcomes]
    figures["subtype_macro_f1"] = round(
        float(precision_recall_fscore_support(truth, said, labels=sorted(set(truth)), zero_division=0)[2].mean()), 4
    )
    return figures | {"confusion": _matrix(truth, said)}


def _share(flags: Sequence[bool] | np.ndarray) -> float:
    return round(float(np.mean(flags)), 4)
