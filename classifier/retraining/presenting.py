"""Retrainings in the shapes their pages draw."""

from collections.abc import Sequence

from classifier.models import DataSet, Retraining
from reviewdesk.charts import Chart, Series, line_chart

WIDTH = 640
LINEAGE = 12


def gains(found: Sequence[Retraining], gain: float) -> Chart | None:
    """What each new model was better by, oldest first; None before two were compared."""
    compared = [r for r in reversed(found) if r.comparison]
    if len(compared) < 2:
        return None
    points = [(float(i), r.comparison["difference"]) for i, r in enumerate(compared)]
    spans = [tuple(r.comparison["interval"]) for r in compared]
    notes = [f"{r}: {100 * r.comparison['difference']:+.1f} points, n = {r.comparison['n']:,}" for r in compared]
    asked = Series(f"asked for {100 * gain:g} points", [(-0.5, gain), (len(points) - 0.5, gain)], "target", dots=False)
    series = [Series("better by", points, "one", notes, spans=spans), asked]
    ends = [y for span in spans for y in span] + [gain, 0.0]
    names = [f"{r.created_at:%-d %b}" for r in compared]
    return line_chart(
        "Better than production by", series, x_label="retraining", y_label="points", percent="y", names=names,
        y_range=(min(ends) - 0.01, max(ends) + 0.01),
    )  # fmt: skip


def pair_bars(comparison: dict) -> list[dict]:
    """The test rows in four parts, each with its place along a bar of WIDTH; empty before they were compared."""
    n = comparison.get("n", 0)
    if not n:
        return []
    both = comparison["old"] - comparison["only_old"]
    parts = [
        ("both right", "both", both),
        ("the new one alone", "new", comparison["only_new"]),
        ("production alone", "old", comparison["only_old"]),
        ("neither", "neither", n - both - comparison["only_new"] - comparison["only_old"]),
    ]
    bars, x = [], 0.0
    for name, kind, rows in parts:
        width = WIDTH * rows / n
        bars.append(
            {"name": name, "kind": kind, "rows": rows, "share": rows / n, "x": round(x, 1), "width": round(width, 1)}
        )
        x += width
    return bars


def lineage(data_set: DataSet | None) -> list[DataSet]:
    """A data set and those that it grew from, newest first."""
    found: list[DataSet] = []
    while data_set is not None and len(found) < LINEAGE:
        found.append(data_set)
        data_set = data_set.parent
    return found
