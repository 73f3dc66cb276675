"""More training rows for rare subtypes: synonyms from a list of our own, and typing slips. No network, English words.

Only training rows are ever augmented; a made row keeps its original's label and split.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from ml.data import Example, class_counts

RARE = 50  # the mission's bound: under it a subtype counts as rare
SYNONYMS = Path(__file__).parent / "corpus" / "synonyms.json"
SWAP = 0.35  # of the words that have a synonym
SLIP = 0.03  # of the words get a typing slip
_WORD = re.compile(r"[A-Za-z']+")


def rare_subtypes(examples: Sequence[Example], fewer_than: int = RARE) -> dict[str, int]:
    """`department/subtype` → number of rows, for the rare ones, rarest first."""
    counts = sorted(class_counts(examples).items(), key=lambda item: item[1])
    return {f"{d}/{s}": n for (d, s), n in counts if n < fewer_than}


def augment_rare(examples: Sequence[Example], to: int, *, seed: int = 42) -> list[Example]:
    """New rows that fill each subtype of fewer than `to` rows up to `to`, made from its own rows.

    A row that comes out as its original is not kept, so a subtype of very short texts may get fewer.
    """
    rng = random.Random(seed)
    by_label: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for e in examples:
        by_label[e.department, e.subtype].append(e)
    made = []
    for rows in by_label.values():
        seen = {e.body for e in rows}
        for k in range(max(0, to - len(rows))):
            original = rows[k % len(rows)]
            body = vary(original.body, rng)
            if body not in seen:
                seen.add(body)
                made.append(replace(original, body=body, subject=vary(original.subject, rng), split="train"))
    return made


def vary(text: str, rng: random.Random) -> str:
    """The text with some words exchanged for synonyms and a few typing slips."""
    synonyms = load_synonyms()

    def change(match: re.Match) -> str:
        word = match.group()
        others = synonyms.get(word.lower())
        if others and rng.random() < SWAP:
            other = rng.choice(others)
            word = other.capitalize() if word[0].isupper() else other
        return _slip(word, rng) if len(word) > 3 and rng.random() < SLIP else word

    return _WORD.sub(change, text)


def _slip(word: str, rng: random.Random) -> str:
    """Two letters exchanged, one left out, or one doubled."""
    i = rng.randrange(1, len(word) - 1)
    return rng.choice(
        [word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:]]
    )


@cache
def load_synonyms() -> dict[str, list[str]]:
    """word → words that may stand for it, from groups of words that mean the same in a support mail."""
    found: dict[str, list[str]] = {}
    for group in json.loads(SYNONYMS.read_text(encoding="utf-8")):
        for word in group:
            found.setdefault(word, []).extend(w for w in group if w != word)
    return found
