"""One status word and one sentence about a test, from its counts and its health."""

from dataclasses import dataclass
from enum import StrEnum

from abtests.statistics import (
    ALPHA,
    MIN_LABELS,
    Counts,
    Pairs,
    always_valid_interval,
    difference,
    labels_an_arm,
    pair_evidence,
    paired_interval,
    shadow_plan,
)

GAIN = 0.02  # what B must be better by


class Status(StrEnum):
    COLLECTING = "collecting"
    UNHEALTHY = "unhealthy"
    DEPLOY = "ready: deploy B"
    KEEP = "ready: keep A"
    OPEN = "not enough evidence"


@dataclass(frozen=True)
class Verdict:
    """`labels_needed`: how many would settle the difference measured so far, None where no number would.

    Of a split test they are labels an arm, of a shadow test labels of disagreements, in all.
    """

    status: Status
    sentence: str
    interval: tuple[float, float] | None
    labels_needed: int | None


@dataclass(frozen=True)
class _Reading:
    """What a design says at a look; `sure` is whether its second test, where it has one, sees a difference too."""

    measured: float
    interval: tuple[float, float] | None
    missing: str
    needed: int | None
    unit: str
    sure: bool = True


def split_verdict(
    a: Counts, b: Counts, *, planned: int, gain: float = GAIN, over: bool = False, trouble: str = ""
) -> Verdict:
    """Of a split test. `planned`: labels over both arms; `over`: no more will come; `trouble`: why it is unhealthy."""
    reading = _Reading(
        measured=difference(a, b),
        interval=always_valid_interval(a, b, planned=planned),
        missing=f"{min(a.n, b.n)} of the first {MIN_LABELS} labels an arm are in",
        needed=labels_an_arm(a.rate, difference(a, b)) if min(a.n, b.n) else None,
        unit="an arm",
    )
    return _verdict(reading, gain, over, trouble)


def pairs_verdict(
    pairs: Pairs, *, planned: int, gain: float = GAIN, over: bool = False, trouble: str = "", waiting: int = 0
) -> Verdict:
    """Of a shadow test. `planned`: emails scored; `waiting`: disagreements without a label.

    The interval and the evidence of the pairs must agree.
    """
    if waiting:
        missing = f"{waiting:,} disagreement{'s wait' if waiting > 1 else ' waits'} for a label"
    else:
        missing = f"{pairs.scored} of the first {MIN_LABELS} emails are scored"
    reading = _Reading(
        measured=pairs.difference,
        interval=paired_interval(pairs, planned=planned),
        missing=missing,
        needed=_pairs_needed(pairs),
        unit="of disagreements in all",
        sure=pair_evidence(pairs.only_a, pairs.only_b) >= 1 / ALPHA,
    )
    return _verdict(reading, gain, over, trouble)


def _pairs_needed(pairs: Pairs) -> int | None:
    if not pairs.scored or not pairs.difference:
        return None
    return shadow_plan((pairs.only_a + pairs.only_b) / pairs.scored, pairs.difference).labels


def _verdict(reading: _Reading, gain: float, over: bool, trouble: str) -> Verdict:
    if trouble:
        return Verdict(Status.UNHEALTHY, trouble, reading.interval, reading.needed)
    waiting = Status.OPEN if over else Status.COLLECTING
    if reading.interval is None:
        return Verdict(waiting, f"Too early to compare: {reading.missing}.", None, reading.needed)
    status, why = _judge(reading, reading.interval, gain, waiting)
    low, high = reading.interval
    seen = f"B is {_points(reading.measured)} than A (between {low * 100:+.1f} and {high * 100:+.1f}): {why}."
    advice = f" {_about(reading)}" if status == waiting else ""
    return Verdict(status, seen + advice, reading.interval, reading.needed)


def _judge(reading: _Reading, interval: tuple[float, float], gain: float, waiting: Status) -> tuple[Status, str]:
    low, high = interval
    if low > 0 and reading.sure:
        if reading.measured >= gain:
            return Status.DEPLOY, f"better, and by the {gain * 100:g} points asked for"
        return waiting, f"better, but not by the {gain * 100:g} points asked for"
    if high < 0 and reading.sure:
        return Status.KEEP, "A is the better one"
    if high < gain:
        return Status.KEEP, f"it cannot be the {gain * 100:g} points better that were asked for"
    return waiting, "that may be chance"


def _points(measured: float) -> str:
    return f"{abs(measured) * 100:.1f} points {'worse' if measured < 0 else 'better'}"


def _about(reading: _Reading) -> str:
    if reading.needed is None:
        return "As long as they are equal, no number of labels tells them apart."
    return f"If the difference is real, about {_rounded(reading.needed):,} labels {reading.unit} settle it."


def _rounded(n: int) -> int:
    """To two figures.

    >>> _rounded(2822), _rounded(77)
    (2800, 77)
    """
    return round(n, -max(len(str(n)) - 2, 0))
