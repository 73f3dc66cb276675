"""Recognises mail whose label means little: empty, symbols only, emoji only, gibberish.

Gibberish is judged by how likely its letter pairs are in real words: the pairs are counted
in the starter corpus and articles, which hold several European languages. Other scripts are
never called gibberish.
"""

import math
import re
import unicodedata
from functools import cache

from ml.data import load_articles, load_corpus
from ml.quoting import split_quoted

_LETTER = re.compile(r"[^\W\d_]", re.UNICODE)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f]")
_LATIN_WORD = re.compile(r"[a-z]+")
_REPEATED = re.compile(r"(.{1,10}?)\1{9,}", re.DOTALL)
_MAX_CHARACTERS = 5_000
_MIN_SCORE = -4.0  # mean log-probability of a letter pair: real mail scores above -3.6, keyboard mashing below -4.1
_MIN_LETTERS = 6


def unreadable_kind(subject: str, body: str) -> str:
    """`empty`, `symbols`, `emoji`, `gibberish`, or empty for readable text.

    >>> unreadable_kind("", "  "), unreadable_kind("", "?!?! ..."), unreadable_kind("hi", "my parcel is late")
    ('empty', 'symbols', '')
    """
    text = split_quoted(f"{subject}\n{body[:_MAX_CHARACTERS]}").visible.strip()
    if not text:
        return "empty"
    if len(_LETTER.findall(text)) < 2:
        return "emoji" if _EMOJI.search(text) else "symbols"
    return "gibberish" if _is_gibberish(text.lower()) else ""


def _is_gibberish(text: str) -> bool:
    text = " ".join(_without_accents(text).split())
    shortened = _REPEATED.sub(" ", text)
    if len(_LETTER.findall(shortened)) < len(_LETTER.findall(text)) / 2:
        return True  # the same few characters over and over
    words = [w for w in _LATIN_WORD.findall(shortened) if len(w) > 2]
    letters = len(_LETTER.findall(shortened))
    if sum(map(len, words)) < max(_MIN_LETTERS, letters / 2):
        return False  # too little, or another script
    return _mean_pair_score(words) < _MIN_SCORE


def _without_accents(text: str) -> str:
    """Letters without their marks, so that Czech is as readable as English."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _mean_pair_score(words: list[str]) -> float:
    table, unseen = _pair_scores()
    pairs = [pair for word in words for pair in _pairs(word)]
    return sum(table.get(pair, unseen) for pair in pairs) / len(pairs)


def _pairs(word: str) -> list[str]:
    """Neighbouring letters with the word's edges: `^a`, `ab`, `b$`."""
    edged = f"^{word}$"
    return [edged[i : i + 2] for i in range(len(edged) - 1)]


@cache
def _pair_scores() -> tuple[dict[str, float], float]:
    """log P(second letter | first letter) for every pair seen, and for one never seen."""
    texts = [f"{e.subject} {e.body}" for e in load_corpus("train")] + [a.text for a in load_articles()]
    counts: dict[str, int] = {}
    firsts: dict[str, int] = {}
    for word in _LATIN_WORD.findall(_without_accents(" ".join(texts).lower())):
        for pair in _pairs(word):
            counts[pair] = counts.get(pair, 0) + 1
            firsts[pair[0]] = firsts.get(pair[0], 0) + 1
    smooth = 0.5
    scores = {p: math.log((n + smooth) / (firsts[p[0]] + 40 * smooth)) for p, n in counts.items()}
    return scores, math.log(1e-4)
