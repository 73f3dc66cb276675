"""A recorded split test read from a file of counts, and what it says."""

from typing import Any

from abtests.planning import usual_plan
from abtests.statistics import Counts, always_valid_interval, difference, newcombe_interval, p_value
from abtests.verdict import GAIN, split_verdict
from reviewdesk.errors import DeskError


def read_counts(data: Any) -> tuple[Counts, Counts, int, float]:
    """Arms A and B, the planned total and the gain of `{arms: {A: {emails, verified, correct}, B: …}, planned?, gain?}`.

    Raises DeskError naming the field.
    """
    arms = data.get("arms") if isinstance(data, dict) else None
    if not isinstance(arms, dict) or set(arms) != {"A", "B"}:
        raise DeskError('the counts have no "arms" with exactly "A" and "B"')
    a, b = (_arm(name, arms[name]) for name in "AB")
    gain = _number(data, "gain", GAIN, "a share above 0 and below 1", lambda x: 0 < x < 1)
    planned = _number(data, "planned", usual_plan(gain), "a count of 1 or more", lambda x: x >= 1)
    return a, b, int(planned), float(gain)


def analysis(a: Counts, b: Counts, *, planned: int, gain: float) -> dict[str, Any]:
    """What `analyze_experiment --json` prints of a split test that has ended."""
    verdict = split_verdict(a, b, planned=planned, gain=gain, over=True)
    return {
        "arms": {"A": {"verified": a.n, "correct": a.correct}, "B": {"verified": b.n, "correct": b.correct}},
        "difference": difference(a, b),
        "p_value": p_value(a, b),
        "interval": newcombe_interval(a, b),
        "always_valid_interval": always_valid_interval(a, b, planned=planned),
        "planned": planned,
        "gain": gain,
        "decision": verdict.status.value,
        "reason": verdict.sentence,
        "labels_needed": verdict.labels_needed,
    }


def _arm(name: str, given: Any) -> Counts:
    if not isinstance(given, dict):
        raise DeskError(f"arm {name} is {given!r}; allowed: an object with emails, verified, correct")
    known = {}
    for field in ("emails", "verified", "correct"):
        value = given.get(field, given.get("verified") if field == "emails" else None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise DeskError(f"{field} of arm {name} is {value!r}; allowed: a whole number of 0 or more")
        known[field] = value
    if not known["correct"] <= known["verified"] <= known["emails"]:
        raise DeskError(f"arm {name} has {known}; allowed: correct ≤ verified ≤ emails")
    return Counts(n=known["verified"], correct=known["correct"])


def _number(data: dict, field: str, default: float, allowed: str, fits: Any) -> float:
    value = data.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
        raise DeskError(f"{field} is {value!r}; allowed: {allowed}")
    return value
