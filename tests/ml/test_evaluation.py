"""The evaluation report: its figures by hand, and everything it must hold."""

import json

import pytest

from ml.data import Example, load_corpus
from ml.errors import DataError
from ml.evaluation import Outcome, full_report, report, run
from ml.predictor import Predictor
from ml.scoring import Scores


def outcome(truth: str, said: str, confidence: float, *, type: str = "query", department: str = "it") -> Outcome:
    rest = (1 - confidence) / 2
    subtypes = ((said, confidence), *((s, rest) for s in ("a", "b", "c") if s != said))
    scores = Scores((("query", 1.0),), subtypes, "query", 1.0, said, confidence)
    return Outcome(Example(department, "", f"text of {truth} {confidence}", type, truth), scores, 10.0)


def test_figures_by_hand():
    outcomes = [outcome("a", "a", 0.9), outcome("a", "b", 0.8), outcome("b", "b", 0.7), outcome("c", "c", 0.6)]
    subtype = report(outcomes)["subtype"]
    assert subtype["accuracy"] == 0.75
    assert {c["label"]: (c["precision"], c["recall"], c["f1"], c["n"]) for c in subtype["per_class"]} == {
        "it/a": (1.0, 0.5, 0.6667, 2), "it/b": (0.5, 1.0, 0.6667, 1), "it/c": (1.0, 1.0, 1.0, 1),
    }  # fmt: skip
    assert subtype["macro_f1"] == pytest.approx(0.7778)
    assert subtype["log_loss"] == pytest.approx((0.1054 + 2.3026 + 0.3567 + 0.5108) / 4, abs=1e-3)
    assert subtype["confusion_pairs"] == [{"truth": "it/a", "said": "it/b", "n": 1}]
    assert subtype["ece_if_perfect"]["mean"] > 0
    assert report(outcomes, threshold=0.75)["share_under_threshold"] == 0.5


def test_departments_are_told_apart_and_a_confident_mistake_comes_first():
    outcomes = [outcome("a", "b", 0.6), outcome("a", "b", 0.9), outcome("a", "a", 0.9, department="retail")]
    figures = report(outcomes)
    assert figures["per_department"]["it"]["subtype_accuracy"] == 0.0
    assert figures["per_department"]["retail"]["subtype_accuracy"] == 1.0
    assert figures["per_department"]["it"]["confusion"] == {"labels": ["a", "b"], "counts": [[0, 2], [0, 0]]}
    assert [m["confidence"] for m in figures["confident_mistakes"]] == [0.9, 0.6]


def test_a_wrong_label_among_many_right_ones_is_suspected():
    outcomes = [outcome(s, s, 0.9) for s in ("a", "b", "c") for _ in range(20)]
    outcomes[7] = outcome("b", "a", 0.95)
    assert [found["row"] for found in report(outcomes)["label_errors"]] == [7]


def test_the_report_of_the_starter_is_whole(starter_folder):
    predictor = Predictor(starter_folder)
    rows = load_corpus("test")[::9] + [Example("it", "", "our wish", "suggestion", "wish_from_nowhere")]
    figures = full_report(predictor, rows)
    json.dumps(figures)
    assert figures["unknown_labels"] == {"it/wish_from_nowhere": 1}
    assert figures["gap"]["verdict"] in ("healthy", "watch", "overfitting")
    assert len(figures["stress"]) == 10 and {r["case"] for r in figures["stress"]} >= {"empty", "prompt injection"}
    assert figures["subtype"]["risk_coverage"][0]["review_share"] == 0
    assert figures["rare_subtypes"] and figures["latency_ms"]["p95"] >= figures["latency_ms"]["p50"]


def test_nothing_to_evaluate_on_is_said(starter_folder):
    with pytest.raises(DataError, match="no rows to evaluate"):
        run(Predictor(starter_folder), [])
