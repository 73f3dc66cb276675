"""Draws and lays out what a test has shown."""

from typing import Any

from abtests.history import days
from abtests.reports import Report
from reviewdesk.charts import Chart, Series, line_chart


def effect_chart(found: Report) -> Chart | None:
    """The difference day by day in its interval; None while it is too early for one."""
    known = [(d, d.interval) for d in days(found.phase) if d.interval] if found.phase else []
    if not known:
        return None
    points = [(i, d.difference) for i, (d, _) in enumerate(known)]
    notes = [
        f"{d.day:%-d %b}: {d.difference:+.1%} ({low:+.1%} to {high:+.1%}), {d.labels} labels"
        for d, (low, high) in known
    ]
    spans = [interval for _, interval in known]
    gain = found.experiment.gain
    ends = (-0.5, len(known) - 0.5)
    series = [
        Series("B less A", points, "one", notes, spans=spans, band=len(known) > 1),
        Series(f"goal {gain:+.0%}", [(x, gain) for x in ends], "three", dots=False),
        Series("no difference", [(x, 0.0) for x in ends], "target", dots=False),
    ]
    reach = max(abs(v) for span in spans for v in span) * 1.1
    return line_chart(
        "Effect so far", series, x_label="", y_label="", y_range=(-reach, reach), percent="y",
        names=[f"{d.day:%-d %b}" for d, _ in known],
    )  # fmt: skip


def flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Nested figures as dotted names.

    >>> flat({"arms": {"A": {"n": 5}}, "interval": (0.1, 0.2)})
    [('arms.A.n', 5), ('interval.0', 0.1), ('interval.1', 0.2)]
    """
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    if items is None:
        return [(name, value)]
    return [row for key, own in items for row in flat(own, f"{name}.{key}" if name else str(key))]
