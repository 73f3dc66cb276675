"""Reports and runs in the shapes their pages draw."""

from typing import Any

from classifier.models import Evaluation, TrainingRun
from reviewdesk.charts import Chart, Series, line_chart

HEADS = ("type", "subtype")
FIGURES = (
    ("accuracy", "Accuracy", True),
    ("macro_precision", "Macro precision", False),
    ("macro_recall", "Macro recall", False),
    ("macro_f1", "Macro-F1", False),
    ("ece", "Calibration error (ECE)", False),
    ("log_loss", "Log loss", False),
)
LOWER_IS_BETTER = ("ece", "log_loss")


def whole(report: dict) -> bool:
    """Whether a report has what the pages draw; those of older versions are short."""
    return "risk_coverage" in report.get("subtype", {})


def report_charts(reports: list[tuple[str, dict]]) -> list[Chart]:
    """Calibration curve and accuracy against review share, one line a report."""
    kinds = ("one", "two")
    calibration = [Series("perfect", [(0, 0), (1, 1)], "target", dots=False)]
    kept = []
    for (name, report), kind in zip(reports, kinds, strict=False):
        bins = report["subtype"]["calibration"]
        notes = [
            f"confidence {b['confidence']:.0%}: {b['accuracy']:.0%} right ({b['interval'][0]:.0%} to {b['interval'][1]:.0%}), n = {b['n']}"
            for b in bins
        ]
        weights = [b["n"] / report["n"] for b in bins]
        calibration.append(Series(name, [(b["confidence"], b["accuracy"]) for b in bins], kind, notes, weights))
        curve = report["subtype"]["risk_coverage"]
        kept.append(
            Series(
                name,
                [(p["review_share"], p["accuracy"]) for p in curve],
                kind,
                [
                    f"{p['review_share']:.0%} to review under {p['threshold']:.2f}: the rest {p['accuracy']:.1%} right"
                    for p in curve
                ],
            )
        )
    low = min(y for s in kept for _, y in s.points)
    return [
        line_chart("Does confidence mean what it says? (subtype)", calibration, x_label="confidence", y_label="right", x_range=(0, 1), y_range=(0, 1), percent="xy"),
        line_chart("Accuracy of what is not sent to review", kept, x_label="share sent to review", y_label="subtype accuracy", x_range=(0, 1), y_range=(min(low, 0.9), 1), percent="xy"),
    ]  # fmt: skip


def history_charts(history: list[dict]) -> list[Chart]:
    """Loss and validation accuracy by step; empty before two points are there."""

    def line(key: str, name: str, kind: str) -> Series:
        return Series(name, [(row["step"], row[key]) for row in history if key in row], kind)

    charts = []
    loss = [line("loss", "training", "one"), line("validation_loss", "validation", "two")]
    accuracy = [line("subtype_accuracy", "subtype", "one"), line("type_accuracy", "type", "two")]
    for title, series, percent in (("Loss", loss, ""), ("Accuracy on the validation rows", accuracy, "y")):
        drawn = [s for s in series if len(s.points) > 1]
        if drawn:
            charts.append(line_chart(title, drawn, x_label="step", y_label=title.lower(), percent=percent))
    return charts


def matrix(confusion: dict) -> list[dict[str, Any]]:
    """Rows of a confusion matrix with the mark of each cell."""
    labels = confusion["labels"]
    return [
        {
            "label": label,
            "cells": [
                {"n": n, "mark": "hit" if labels[i] == label and n else "miss" if n else ""} for i, n in enumerate(row)
            ],
        }
        for label, row in zip(labels, confusion["counts"], strict=True)
    ]


def comparison(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """Two reports side by side, the second against the first."""
    figures = []
    for head in HEADS:
        for key, name, percent in FIGURES:
            one, two = a.report[head].get(key), b.report[head].get(key)
            if one is None or two is None:
                continue
            gain = (one - two) if key in LOWER_IS_BETTER else (two - one)
            row = {
                "name": f"{name}, {head}",
                "percent": percent,
                "a": one,
                "b": two,
                "gain": gain,
                "better_by": f"{100 * gain:+.1f} points" if percent else f"{gain:+.3f}",
            }
            if key == "accuracy":
                row |= {
                    "a_interval": a.report[head]["accuracy_interval"],
                    "b_interval": b.report[head]["accuracy_interval"],
                }
            figures.append(row)
    departments = [
        {"name": d, "a": a.report["per_department"].get(d), "b": b.report["per_department"].get(d)}
        for d in sorted({*a.report["per_department"], *b.report["per_department"]})
    ]
    same = a.report.get("data_sha256") == b.report.get("data_sha256")
    charts = report_charts([(a.version.version, a.report), (b.version.version, b.report)])
    return {"figures": figures, "departments": departments, "same_data": same, "charts": charts}


def run_figures(run: TrainingRun) -> dict[str, Any]:
    """What the live panel of a run shows."""
    latest = run.history[-1] if run.history else {}
    return {"charts": history_charts(run.history), "latest": {k: v for k, v in latest.items() if k != "step"}}
