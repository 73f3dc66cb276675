"""How far two people agree on labels: the share, Cohen's kappa, and Gwet's AC1.

Kappa corrects for chance by each person's own frequencies and falls apart where one label is very common; AC1
stays near the share there. Sources: Cohen (1960), Educational and Psychological Measurement 20; Gwet (2008),
British Journal of Mathematical and Statistical Psychology 61, equation 13.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.intervals import wilson_interval


@dataclass(frozen=True)
class Agreement:
    """Of `n` pairs of answers `agreed` are equal. kappa and ac1 are None where chance alone would agree always."""

    n: int
    agreed: int
    kappa: float | None
    ac1: float | None

    @property
    def share(self) -> float | None:
        return self.agreed / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.agreed, self.n)


def agreement(pairs: Sequence[tuple[Hashable, Hashable]]) -> Agreement:
    """Agreement of pairs (first person's label, second person's label)."""
    labels = {label: i for i, label in enumerate(dict.fromkeys(x for pair in pairs for x in pair))}
    n, k = len(pairs), len(labels)
    if n == 0:
        return Agreement(0, 0, None, None)
    table = np.zeros((k, k))
    for first, second in pairs:
        table[labels[first], labels[second]] += 1
    table /= n
    observed = float(np.trace(table))
    rows, columns = table.sum(1), table.sum(0)
    by_kappa = float(rows @ columns)
    common = (rows + columns) / 2
    by_ac1 = float((common * (1 - common)).sum() / (k - 1)) if k > 1 else 0.0
    return Agreement(n, round(observed * n), _corrected(observed, by_kappa), _corrected(observed, by_ac1))


def _corrected(observed: float, chance: float) -> float | None:
    return None if chance > 1 - 1e-12 else (observed - chance) / (1 - chance)
