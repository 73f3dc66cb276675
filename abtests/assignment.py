"""Puts a unit into an arm by a hash: no state, the same answer for ever.

Buckets nest: raising an arm's share moves units into it, never back out.
"""

from collections.abc import Sequence
from hashlib import sha256

BUCKETS = 10_000


def bucket(unit: str, salt: str) -> int:
    """A unit's bucket, 0 to BUCKETS − 1, uniform over units for any salt.

    >>> bucket("thread-1", "exp-a") == bucket("thread-1", "exp-a")
    True
    """
    return int.from_bytes(sha256(f"{salt}:{unit}".encode()).digest()[:8]) % BUCKETS


def assign(unit: str, salt: str, weights: Sequence[tuple[str, float]]) -> str:
    """The arm of a unit; `weights` are (arm, share), the shares adding up to 1.

    The last arm takes the low buckets, so that growing it keeps all that it has: with
    [("A", 0.9), ("B", 0.1)] arm B holds buckets 0–999, with 0.5 it holds 0–4999.
    Raises ValueError when the shares do not add up to 1 or one is negative.
    """
    total = sum(share for _, share in weights)
    if abs(total - 1) > 1e-9 or any(share < 0 for _, share in weights):
        raise ValueError(f"shares are {[s for _, s in weights]}; allowed: none negative, adding up to 1")
    place, edge = bucket(unit, salt), 0.0
    for arm, share in reversed(weights):
        edge += share * BUCKETS
        if place < round(edge):
            return arm
    return weights[0][0]
