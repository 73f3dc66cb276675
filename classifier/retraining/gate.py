"""The gate: whether a new model may take over from the one in production, by rows that neither was trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil

from abtests.queries import one_look
from classifier.models import Retraining
from classifier.retraining.datasets import SAMPLE_SHARE
from ml.data import Example
from ml.folding import fold
from ml.predictor import Predictor
from ml.progress import Progress, Watch, unwatched

LEAST_TEST = 2_000  # rows, below which nothing is promoted by itself
Decision = Retraining.Decision


@dataclass(frozen=True)
class Comparison:
    """Of `n` rows: how many each model was right on, and on how many one of them alone."""

    n: int
    old: int
    new: int
    only_old: int
    only_new: int

    @property
    def figures(self) -> dict:
        look = one_look(rows=self.n, only_a=self.only_old, only_b=self.only_new)
        return asdict(self) | {
            "old_rate": self.old / self.n, "new_rate": self.new / self.n,
            "difference": look.difference, "interval": list(look.interval), "p": look.p_value, "needed": look.needed
        }  # fmt: skip


def compare(
    old: Predictor, new: Predictor, rows: Sequence[Example], *, folds: Mapping[str, Mapping], watch: Watch = unwatched
) -> Comparison:
    """Ask both about the same rows; right is the right subtype, as the desk would show it.

    `folds`: by department, where its subtypes were merged or retired, what became of them.
    """
    right = []
    for i, e in enumerate(rows):
        scores = [model.predict(e.department, e.subject, e.body) for model in (old, new)]
        said = [(fold(s, folds[e.department]) if e.department in folds else s).subtype for s in scores]
        right.append(tuple(subtype == e.subtype for subtype in said))
        watch(Progress("comparing with production", i + 1, len(rows)))
    return Comparison(
        n=len(right),
        old=sum(a for a, _ in right),
        new=sum(b for _, b in right),
        only_old=sum(a and not b for a, b in right),
        only_new=sum(b and not a for a, b in right),
    )


@dataclass(frozen=True)
class Ruling:
    decision: Decision
    sentence: str


def rule(found: Comparison, *, gain: float, least: int = LEAST_TEST) -> Ruling:
    """PASSED at `gain` or more with an interval above nought, KEPT otherwise; UNDECIDED on too few rows."""
    if not found.n:
        return Ruling(Decision.UNDECIDED, f"No test row to compare on; {least:,} are asked for: {_labels(least)}.")
    look = one_look(rows=found.n, only_a=found.only_old, only_b=found.only_new)
    low, high = look.interval
    seen = (
        f"Right on {found.new / found.n:.1%} of {found.n:,} test rows, production on {found.old / found.n:.1%}: "
        f"{look.difference * 100:+.1f} points (between {low * 100:+.1f} and {high * 100:+.1f})"
    )
    if found.n < least:
        return Ruling(Decision.UNDECIDED, f"{seen}; {least:,} rows are asked for: {_labels(least - found.n)}.")
    asked = f"the {gain * 100:g} points asked for"
    if low > 0 and look.difference >= gain:
        return Ruling(Decision.PASSED, f"{seen}: better by {asked}.")
    if low > 0:
        return Ruling(Decision.KEPT, f"{seen}: better, but not by {asked}.")
    if high < 0:
        return Ruling(Decision.KEPT, f"{seen}: worse.")
    if high < gain:
        return Ruling(Decision.KEPT, f"{seen}: it cannot be {asked} better.")
    if look.needed is None or look.difference < 0:
        return Ruling(Decision.KEPT, f"{seen}: no gain to be seen.")
    return Ruling(
        Decision.KEPT, f"{seen}: that may be chance; {_labels(max(look.needed - found.n, 1))} would settle it."
    )


def _labels(rows: int) -> str:
    """Test rows that are missing, as labels of random samples: each second becomes one."""
    labels = ceil(rows / SAMPLE_SHARE)
    return f"about {round(labels, -max(len(str(labels)) - 2, 0)):,} more labels from weekly samples"
