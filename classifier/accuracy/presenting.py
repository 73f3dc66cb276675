"""Draws the figures of the accuracy page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from classifier.accuracy.figures import FIGURES, Table
from classifier.models import EmailType
from reviewdesk.charts import Bars, Chart, Series, bar_chart, line_chart
from reviewdesk.people.models import User

KINDS = ("one", "two", "three", "four")
Span = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    table: Table
    chart: Chart | None = None
    bars: Bars | None = None

    @property
    def rows(self) -> list[tuple[list[str], str]]:
        """Cells as people read them, and the query of the emails behind."""
        return [([cell(value) for value in row.cells], row.link) for row in self.table.rows]


def figure(slug: str, days: int, bar: float, user: User) -> Figure:
    table = FIGURES[slug](days, user)
    drawn = DRAWN[slug](table, bar) if slug in DRAWN and table.rows else None
    return Figure(table, drawn if isinstance(drawn, Chart) else None, drawn if isinstance(drawn, Bars) else None)


def cell(value: object) -> str:
    """Shares in percent, days with their month."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.1%}"
    return f"{value:%-d %b %Y}" if isinstance(value, date) else str(value)


def _weekly(table: Table, bar: float) -> Chart:
    rows = [r.cells for r in reversed(table.rows)]
    known = [(i, r) for i, r in enumerate(rows) if r[1] is not None]
    subtype = Series(
        "subtype", [(i, r[1]) for i, r in known], "one",
        [f"week of {r[0]:%-d %b}: {r[1]:.1%} ({r[2]:.1%} to {r[3]:.1%}), {r[7]} answers" for _, r in known],
        spans=[(r[2], r[3]) for _, r in known],
    )  # fmt: skip
    kind = Series(
        "type", [(i, r[4]) for i, r in known], "two",
        [f"week of {r[0]:%-d %b}: {r[4]:.1%} ({r[5]:.1%} to {r[6]:.1%})" for _, r in known],
    )  # fmt: skip
    return _over_time(table, [r[0] for r in rows], [subtype, kind], target=bar)


def _over_time(table: Table, days: list[date], series: list[Series], *, target: float | None = None) -> Chart:
    """Shares over days or weeks, with a target line."""
    values = [y for s in series for _, y in s.points] + [low for s in series for low, _ in s.spans]
    if target is not None:
        ends = [(-0.5, target), (len(days) - 0.5, target)]
        series = [*series, Series(f"bar {target:.0%}", ends, "target", dots=False)]
        values.append(target)
    low = max(0.0, min(values, default=0.0) - 0.05)
    names = [f"{day:%-d %b}" for day in days]
    top = min(1.0, max(values + [high for s in series for _, high in s.spans], default=1.0) + 0.05)
    return line_chart(
        table.title, series, x_label=table.columns[0], y_label="", y_range=(low, top), percent="y", names=names
    )


def _daily(*columns: int, spans: int | None = None):
    """A chart of shares by day: one line for each column; the columns after `spans` bound the first."""

    def draw(table: Table, bar: float) -> Chart:
        rows = [r.cells for r in table.rows]
        series = [
            Series(
                table.columns[c].lower(), [(i, r[c]) for i, r in enumerate(rows)], KINDS[k],
                [f"{r[0]:%-d %b}: {r[c]:.1%}, {r[-1]} emails" for r in rows],
                spans=[(r[spans], r[spans + 1]) for r in rows] if spans and not k else (),
            )
            for k, c in enumerate(columns)
        ]  # fmt: skip
        return _over_time(table, [r[0] for r in rows], series)

    return draw


def _volumes(table: Table, bar: float) -> Chart:
    rows = [r.cells for r in table.rows]
    series = [
        Series(
            label.lower(), [(i, r[k + 1]) for i, r in enumerate(rows)], KINDS[k],
            [f"{r[0]:%-d %b}: {r[k + 1]}" for r in rows],
        )
        for k, (_, label) in enumerate(EmailType.choices)
    ]  # fmt: skip
    names = [f"{r[0]:%-d %b}" for r in rows]
    most = max(y for s in series for _, y in s.points)
    return line_chart(table.title, series, x_label="Day", y_label="", y_range=(0, max(most, 4)), names=names)


def _calibration(table: Table, bar: float) -> Chart:
    rows = [r.cells for r in table.rows]
    total = sum(r[4] for r in rows)
    perfect = Series("perfect", [(0, 0), (1, 1)], "target", dots=False)
    measured = Series(
        "measured", [(r[0], r[1]) for r in rows], "one",
        [f"confidence {r[0]:.0%}: {r[1]:.0%} right ({r[2]:.0%} to {r[3]:.0%}), n = {r[4]}" for r in rows],
        [r[4] / total for r in rows], [(r[2], r[3]) for r in rows],
    )  # fmt: skip
    return line_chart(
        table.title, [perfect, measured], x_label="confidence", y_label="right", x_range=(0, 1), y_range=(0, 1), percent="xy"
    )  # fmt: skip


def _departments(table: Table, bar: float) -> Bars:
    bars = [(_short(r.cells[0]), r.cells[1], _kinds(table, r.cells)) for r in table.rows]
    return bar_chart(table.title, bars, y_label="emails")


def _kinds(table: Table, cells: Sequence) -> str:
    return ", ".join(f"{n} {name.lower()}" for name, n in zip(table.columns[2:], cells[2:], strict=True))


def _short(name: str) -> str:
    return name if len(name) <= 8 else f"{name[:7]}…"


DRAWN = {
    "weekly": _weekly,
    "calibration": _calibration,
    "confidence": _daily(1, 2),
    "low-confidence": _daily(1, 4, spans=2),
    "volumes": _volumes,
    "volume-by-department": _departments,
}
