"""A number that near-copies of a text share: one MinHash of its word pairs.

Two texts share it with the probability that is the Jaccard similarity of their word pairs (Broder, 1997).
"""

import re
from hashlib import blake2b

_WORD = re.compile(r"[^\W\d_]+")
MOST_WORDS = 400


def fingerprint(text: str) -> int:
    """0 to 2**63 - 1, the same in every process; 0 for a text without words. Digits do not count: order numbers differ."""
    words = _WORD.findall(text.lower())[:MOST_WORDS]
    pairs = set(zip(words, words[1:], strict=False)) or {(w, "") for w in words}
    return min((_hash(" ".join(pair)) for pair in pairs), default=0)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1
