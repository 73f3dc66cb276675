"""Train, validation and test: stratified, and no text or near-copy of it in two of them.

Emails that say the same (after case, digits and punctuation are set aside) or nearly so (four
fifths of their word pairs shared, by MinHash) form a group that stays together. Rows that come with
a split of their own keep it; a validation or test row whose near-copy is in training is left
out, since it would flatter the figure. Where a file names only training and test rows, validation
is drawn from its training rows.

Source of the near-duplicate search: Broder, "On the resemblance and containment of documents" (1997).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from datasketch import MinHash, MinHashLSH

from ml.data import Example
from ml.errors import DataError
from ml.tokenizing import email_text

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
SIMILAR = 0.8
SPOKESMEN = 20  # of a group: without a limit, thousands of copies of one template cost the square
PERMUTATIONS = 64
_WORD = re.compile(r"[^\W\d_]+|[^\w\s]", re.UNICODE)


@dataclass(frozen=True)
class Splits:
    """Three disjoint lists of examples; `left_out` counts rows dropped as copies of training rows."""

    train: list[Example] = field(default_factory=list)
    validation: list[Example] = field(default_factory=list)
    test: list[Example] = field(default_factory=list)
    left_out: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in SPLITS}


def split_three(examples: Sequence[Example], *, validation: float = 0.1, test: float = 0.1, seed: int = 42) -> Splits:
    """Split labelled emails; shares are of all rows, and each subtype is divided by them.

    Raises DataError for shares that leave nothing to train on, or a split name that is unknown.
    """
    if validation < 0 or test < 0 or validation + test >= 0.9:
        raise DataError(f"validation {validation} and test {test} leave too little to train on; allowed: under 0.9")
    groups = near_copies(examples)
    given = [_given(e) for e in examples]
    names = np.array(["" if name == TRAIN else name for name in given], dtype=object)  # "" is free to be drawn
    _settle_groups(names, groups, given)
    shares = {
        VALIDATION: 0.0 if VALIDATION in given else validation,
        TEST: 0.0 if TEST in given else test,
    }
    _draw(names, groups, examples, shares, np.random.default_rng(seed))
    rows: dict[str, list[Example]] = defaultdict(list)
    for e, name in zip(examples, names, strict=True):
        rows[name].append(e)
    return Splits(rows[TRAIN], rows[VALIDATION], rows[TEST], len(rows["copy"]))


def near_copies(examples: Sequence[Example]) -> np.ndarray:
    """Group number of each email, (n,): equal for emails that say (nearly) the same."""
    return near_duplicate_groups([email_text(e.subject, e.body) for e in examples])


def near_duplicate_groups(texts: Sequence[str]) -> np.ndarray:
    """Group number of each text, (n,) integers: equal for texts that say (nearly) the same."""
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen: dict[tuple[str, ...], int] = {}
    distinct = []
    for i, text in enumerate(texts):
        words = tuple(_WORD.findall(text.lower()))
        words = tuple(w for w in words if w.isalpha()) or words or (text,)
        first = seen.setdefault(words, i)
        parent[i] = first
        if first == i:
            distinct.append((i, words))
    index = MinHashLSH(threshold=SIMILAR, num_perm=PERMUTATIONS)
    sketches: dict[int, MinHash] = {}
    members: Counter[int] = Counter()
    for i, words in distinct:
        sketch = _sketch(words)
        for j in index.query(sketch):
            if sketch.jaccard(sketches[j]) >= SIMILAR:
                parent[root(i)] = root(j)
        members[root(i)] += 1
        if members[root(i)] <= SPOKESMEN:
            sketches[i] = sketch
            index.insert(i, sketch)
    return np.array([root(i) for i in range(len(texts))], dtype=np.int64)


def _sketch(words: tuple[str, ...]) -> MinHash:
    """MinHash of the word pairs, with the single words of very short texts."""
    shingles: set[tuple[str, ...]] = set(zip(words, words[1:], strict=False)) or {words}
    sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
    sketch.update_batch([" ".join(s).encode() for s in shingles])
    return sketch


def _given(example: Example) -> str:
    """The split a row names; files of ours say train, validation and test."""
    name = {"val": VALIDATION, "dev": VALIDATION}.get(example.split, example.split)
    if name and name not in SPLITS:
        raise DataError(f"is {example.split!r}; allowed: {', '.join(SPLITS)}, or empty", field="split")
    return name


def _settle_groups(names: np.ndarray, groups: np.ndarray, given: Sequence[str]) -> None:
    """Near-copies follow the split that one of them names; a test row's copy in training takes the test row out."""
    for group in _members(groups).values():
        named = {given[i] for i in group} - {""}
        if not named or len(group) == 1:
            continue
        winner = next(name for name in (TRAIN, VALIDATION, TEST) if name in named)
        for i in group:
            names[i] = "copy" if given[i] not in ("", winner) else winner.replace(TRAIN, "")


def _draw(
    names: np.ndarray,
    groups: np.ndarray,
    examples: Sequence[Example],
    shares: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Give whole groups of each subtype to validation and test until each has its share; the rest trains."""
    by_label: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for group in _members(groups).values():
        free = [i for i in group if not names[i]]
        if free:
            by_label[examples[free[0]].department, examples[free[0]].subtype].append(free)
    owed = dict.fromkeys(shares, 0.0)
    for label in sorted(by_label):
        waiting = by_label[label]
        rng.shuffle(waiting)
        rows = sum(map(len, waiting))
        for name in (TEST, VALIDATION):
            owed[name] += rows * shares[name]
            while len(waiting) > 1 and owed[name] >= len(waiting[-1]) - 0.5:
                owed[name] -= len(waiting[-1])
                names[waiting.pop()] = name
        for group in waiting:
            names[group] = TRAIN


def _members(groups: np.ndarray) -> dict[int, list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[int(group)].append(i)
    return members
