"""Line charts as plain SVG: drawn by a template, no script, hovered by <title>, read as a table by those who prefer.

A chart is a dataclass of ready coordinates; `templates/reviewdesk/_chart.html` draws it with the
classes of `charts.css`, so that light and dark come from the same tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

WIDTH, HEIGHT = 520, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 22, 12, 40
DOT, FINE = 3.5, 1.8  # radius of a dot, and where there are more than MANY
MANY = 40
MOST_NAMES = 8


@dataclass(frozen=True)
class Series:
    """A named line of (x, y) points; `notes` (one a point) are said on hover, `weights` (shares) make dots larger.
    `spans` (one a point: low and high) are drawn as whiskers. `kind` is a CSS class."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "one"
    notes: Sequence[str] = ()
    weights: Sequence[float] = ()
    spans: Sequence[tuple[float, float]] = ()
    band: bool = False  # the spans are one area
    dots: bool = True


@dataclass(frozen=True)
class Chart:
    title: str
    x_label: str
    y_label: str
    lines: list[dict] = field(default_factory=list)
    x_ticks: list[dict] = field(default_factory=list)
    y_ticks: list[dict] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    middle: int = (LEFT + WIDTH - RIGHT) // 2


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    percent: str = "",
    names: Sequence[str] = (),
) -> Chart:
    """`percent` names the axes shown in percent: "x", "y", "xy". Ranges default to what the points span.

    With `names` x counts steps from 0, and they stand under the axis, at most MOST_NAMES of them.
    """
    points = [p for s in series for p in s.points]
    x0, x1 = (-0.5, len(names) - 0.5) if names else x_range or _span([x for x, _ in points])
    y0, y1 = y_range or _span([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    def x_name(x: float) -> str:
        return names[int(x)] if names else _label(x, "x" in percent)

    every = ceil(len(names) / MOST_NAMES)
    lines, rows = [], []
    for s in series:
        placed = [place(x, y) for x, y in s.points]
        notes = s.notes or [f"{_label(x, 'x' in percent)}: {_label(y, 'y' in percent)}" for x, y in s.points]
        size = FINE if len(placed) > MANY else DOT
        radii = [round(2 + 8 * w**0.5, 1) for w in s.weights] or [size] * len(placed)
        dots = [{"x": x, "y": y, "r": r, "note": n} for (x, y), r, n in zip(placed, radii, notes, strict=True)]
        path = " ".join(f"{'L' if i else 'M'}{x} {y}" for i, (x, y) in enumerate(placed))
        ends = [(place(x, low), place(x, high)) for (x, _), (low, high) in zip(s.points, s.spans, strict=False)]
        if s.band and ends:
            area = [low for low, _ in ends] + [high for _, high in reversed(ends)]
            whiskers = "M" + " L".join(f"{x} {y}" for x, y in area) + "Z"
        else:
            whiskers = " ".join(f"M{x} {a}V{b}" for (x, a), (_, b) in ends)
        lines.append(
            {
                "name": s.name,
                "kind": s.kind,
                "path": path,
                "whiskers": whiskers,
                "band": s.band,
                "dots": dots if s.dots else [],
            }
        )
        if s.dots:
            rows += [{"name": s.name, "x": x_name(x), "y": _label(y, "y" in percent)} for x, y in s.points]
    return Chart(
        title,
        x_label,
        y_label,
        lines,
        [
            {"at": place(x, y0)[0], "label": x_name(x)}
            for x in (range(0, len(names), every) if names else _ticks(x0, x1))
        ],
        [{"at": place(x0, y)[1], "label": _label(y, "y" in percent)} for y in _ticks(y0, y1)],
        rows,
    )


@dataclass(frozen=True)
class Bars:
    """Bars over labelled steps; each is `{x, y, width, height, label, value, note}`, placed."""

    title: str
    y_label: str
    bars: list[dict]
    y_ticks: list[dict]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]], *, y_label: str) -> Bars:
    """One bar for each (label, value of 0 or more, note said on hover)."""
    most = 4 * ceil(max([value for _, value, _ in bars] or [0]) / 4) or 4
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    tall = HEIGHT - TOP - BOTTOM
    placed = []
    for i, (label, value, note) in enumerate(bars):
        high = value / most * tall
        at = {
            "x": round(LEFT + step * (i + 0.2), 1),
            "y": round(HEIGHT - BOTTOM - high, 1),
            "width": round(step * 0.6, 1),
        }
        middle = round(LEFT + step * (i + 0.5), 1)
        placed.append({**at, "height": round(high, 1), "middle": middle, "label": label, "value": value, "note": note})
    ticks = [{"at": HEIGHT - BOTTOM - t / most * tall, "label": _label(t, False)} for t in _ticks(0, most)]
    return Bars(title, y_label, placed, ticks)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    return [low + (high - low) * i / (wanted - 1) for i in range(wanted)]


def _label(value: float, percent: bool) -> str:
    return f"{100 * value:.0f}%" if percent else f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
