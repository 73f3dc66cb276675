"""Intervals of proportions."""


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of k successes in n trials; (0, 1) when n is 0.

    Source: Wilson (1927), as scipy computes it.

    >>> [round(x, 3) for x in wilson_interval(85, 100)]
    [0.767, 0.907]
    """
    from scipy.stats import binomtest  # a second of start-up that most commands do not need

    if n == 0:
        return 0.0, 1.0
    interval = binomtest(k, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
