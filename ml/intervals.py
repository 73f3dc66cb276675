"""Intervals of proportions."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of k successes in n trials; (0, 1) when n is 0.

    Source: Wilson (1927). `k` and `n` may be fractions, as weighted counts are.

    >>> [round(x, 3) for x in wilson_interval(85, 100)]
    [0.767, 0.907]
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
