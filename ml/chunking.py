"""Cuts a document into passages for retrieval, each with its offsets in the document.

Paragraphs are kept together under their heading while they fit; a paragraph that does not fit is cut at sentences, a
sentence that does not fit at words, and a word that does not fit where it must. Where a section is cut, the next
passage repeats the last sentences of the one before, up to `overlap` of the limit. The document is tokenised once,
with character offsets: `text[p.start:p.end] == p.text` for every passage.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

MAX_TOKENS = 512
OVERLAP = 0.1
MAX_CHARACTERS = 4_000  # a tokenizer may take a string of any length for one unknown token
PATH = " › "
Span = tuple[int, int]
_HEADING = re.compile(r"^(#{1,6})[ \t]+(\S.*)$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\S(?:.|\n(?!\s*\n))*")
_SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？][\"'”’)]*(?=\s|$)|[。！？]|$)", re.DOTALL)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|No|Nr|St|vs|approx|p\.m|a\.m|z\.B|bzw|Sr|Sra)\.|\b[A-Z]\.)$"
)


@dataclass(frozen=True)
class Passage:
    """`start` and `end` are character offsets into the document; `heading` is the path of its headings."""

    heading: str
    text: str
    start: int
    end: int


class TokenMap:
    """Where the tokens of a text begin, from one pass of a tokenizer over it."""

    def __init__(self, text: str, tokenizer: Tokenizer):
        self._starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]

    def count(self, start: int, end: int) -> int:
        """How many tokens begin in `text[start:end]`."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def reach(self, start: int, tokens: int) -> int | None:
        """Where the token begins that is one too many, counted from `start`; None when the text ends before."""
        at = bisect_left(self._starts, start) + tokens
        return self._starts[at] if at < len(self._starts) else None


@dataclass(frozen=True)
class _Limit:
    tokens: int
    characters: int
    map: TokenMap

    def fits(self, start: int, end: int) -> bool:
        return end - start <= self.characters and self.map.count(start, end) <= self.tokens


def chunk(
    text: str,
    tokenizer: Tokenizer,
    *,
    max_tokens: int = MAX_TOKENS,
    overlap: float = OVERLAP,
    max_characters: int = MAX_CHARACTERS,
) -> list[Passage]:
    """Passages of a Markdown or plain text, in order; heading and text together have at most `max_tokens`.

    Headings are not repeated in the text; a heading of more than half the limit counts as half of it. `tokenizer` must
    neither truncate nor pad.
    """
    tokens, passages = TokenMap(text, tokenizer), []
    for heading, paragraphs in _sections(text):
        spent = len(tokenizer.encode(heading, add_special_tokens=False).ids) if heading else 0
        limit = _Limit(max_tokens - min(spent, max_tokens // 2), max_characters, tokens)
        passages += [Passage(heading, text[a:b], a, b) for a, b in _pack(text, paragraphs, limit, overlap)]
    return passages


def windows(text: str, tokenizer: Tokenizer, max_tokens: int) -> list[Span]:
    """Stretches of a passage that an encoder of `max_tokens` reads whole; together they cover the text."""
    limit = _Limit(max_tokens, max(len(text), 1), TokenMap(text, tokenizer))
    return _pack(text, sentence_spans(text), limit, 0.0)


def _sections(text: str) -> Iterator[tuple[str, list[Span]]]:
    """(path of headings, paragraphs) in order."""
    path: list[tuple[int, str]] = []
    paragraphs: list[Span] = []
    for start, end in _blocks(text):
        found = _HEADING.match(text, start, end)
        if not found or found.end() < end:
            paragraphs.append((start, end))
            continue
        if paragraphs:
            yield PATH.join(title for _, title in path), paragraphs
        level = len(found.group(1))
        path = [*(step for step in path if step[0] < level), (level, found.group(2).strip())]
        paragraphs = []
    if paragraphs:
        yield PATH.join(title for _, title in path), paragraphs


def _blocks(text: str) -> list[Span]:
    """Paragraphs, with heading lines on their own."""
    spans = []
    for match in _PARAGRAPH.finditer(text):
        start, end = match.start(), match.start() + len(match.group().rstrip())
        for heading in _HEADING.finditer(text, start, end):
            before = text[start : heading.start()].rstrip()
            if before:
                spans.append((start, start + len(before)))
            spans.append((heading.start(), heading.start() + len(heading.group().rstrip())))
            start = heading.end() + len(text[heading.end() : end]) - len(text[heading.end() : end].lstrip())
        if start < end:
            spans.append((start, end))
    return spans


def _pack(text: str, spans: Sequence[Span], limit: _Limit, overlap: float) -> list[Span]:
    """Join neighbours while they fit; what follows a cut starts with the last sentences before it."""
    packed: list[Span] = []
    for start, end in (piece for span in spans for piece in _pieces(text, span, limit)):
        if packed and limit.fits(packed[-1][0], end):
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((_earlier(text, packed[-1], end, limit, overlap) if packed and overlap else start, end))
    return packed


def _earlier(text: str, before: Span, end: int, limit: _Limit, overlap: float) -> int:
    """Where the passage that ends at `end` at least begins: at a sentence of the one before, if the share allows."""
    most = int(limit.tokens * overlap)
    for start, _ in sentence_spans(text, *before)[1:]:
        if limit.map.count(start, before[1]) <= most and limit.fits(start, end):
            return start
    return before[1] + len(text[before[1] : end]) - len(text[before[1] : end].lstrip())


def _pieces(text: str, span: Span, limit: _Limit) -> Iterator[Span]:
    """The span if it fits, else its sentences, else stretches of words."""
    if limit.fits(*span):
        yield span
        return
    for sentence in sentence_spans(text, *span):
        yield from [sentence] if limit.fits(*sentence) else _words(text, sentence, limit)


def _words(text: str, span: Span, limit: _Limit) -> Iterator[Span]:
    start, end = span
    while not limit.fits(start, end):
        cut = min(start + limit.characters, limit.map.reach(start, limit.tokens) or end)
        space = max(text.rfind(" ", start + 1, cut), text.rfind("\n", start + 1, cut))
        cut = space if space > start else max(cut, start + 1)
        yield start, cut
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    if start < end:
        yield start, end


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Offsets of the sentences of `text[start:end]`; common abbreviations do not end one."""
    spans: list[Span] = []
    for match in _SENTENCE.finditer(text, start, len(text) if end is None else end):
        if not match.group():
            continue
        before = text[spans[-1][0] : spans[-1][1]] if spans else ""
        # after "6 p.m." a capital begins a new sentence, after "Mr." it does not
        if _ABBREVIATION.search(before) and not (before.endswith(".m.") and match.group()[0].isupper()):
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append((match.start(), match.start() + len(match.group().rstrip())))
    return spans
