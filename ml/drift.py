"""Whether what comes in has changed: the last days' classes against those before, judged by shuffling whole days.

Mail of one day hangs together (an outage, a campaign), so shuffling single emails would call any busy week a drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WINDOW, BASELINE = 7, 28  # days
LEAST = 500  # emails of the window: with 87 classes 100 give 0.34–0.50 by chance
BAR, P_BAR = 0.3, 0.01
PERMUTATIONS = 999


@dataclass(frozen=True)
class Drift:
    """KL divergence of the window from the baseline in nats, and how rare it is among shuffled days."""

    kl: float
    p: float
    usual: float  # 99.9% of the shuffled days are below it
    n: int  # emails of the window
    days: int

    @property
    def landslide(self) -> bool:
        """Large and no chance: reason enough to train anew."""
        return self.n >= LEAST and self.kl > BAR and self.p < P_BAR

    @property
    def notable(self) -> bool:
        """Beyond what shuffled days give, however small."""
        return self.n >= LEAST and self.kl >= self.usual


def kl_divergence(window: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """KL(window‖baseline) in nats of counts along the last axis, ½ added to each count of both.

    >>> float(kl_divergence(np.array([8, 8]), np.array([80, 80])))
    0.0
    """
    p, q = window + 0.5, baseline + 0.5
    p, q = p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True)
    return (p * np.log(p / q)).sum(-1)


def drift(days: Sequence[Mapping[str, int]], *, seed: int = 0, window: int = WINDOW) -> Drift | None:
    """Of daily counts by class, the oldest day first; the last `window` days against the others.

    None where there are not more days than the window. The p-value counts shuffles at least as far apart.
    """
    if len(days) <= window:
        return None
    classes = sorted(set().union(*days))
    counts = np.array([[day.get(c, 0) for c in classes] for day in days], dtype=float).reshape(len(days), len(classes))
    total = counts.sum(0)
    recent = counts[-window:].sum(0)
    measured = float(kl_divergence(recent, total - recent))
    dice = np.random.default_rng(seed)
    shuffled = np.stack([counts[dice.permutation(len(days))[:window]].sum(0) for _ in range(PERMUTATIONS)])
    values = kl_divergence(shuffled, total - shuffled)
    p = (1 + int((values >= measured - 1e-12).sum())) / (1 + PERMUTATIONS)
    return Drift(measured, p, float(np.quantile(values, 0.999)), int(recent.sum()), len(days))
