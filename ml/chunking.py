"""Cuts a document into passages that fit an embedder, with the offsets of every one.

Paragraphs are kept together under their heading while they fit; a longer paragraph is cut
at sentences, and a longer sentence at spaces. `text[p.start:p.end] == p.text` for every passage.
"""

import re
from dataclasses import dataclass

MAX_CHARACTERS = 700  # some 170 tokens, well inside the 256 that the default embedder reads
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\S(?:.|\n(?!\s*\n))*")
_SENTENCE = re.compile(r"\S.*?(?:[.!?…][\"'”’)]*(?=\s|$)|$)", re.DOTALL)
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|Mr|Mrs|Ms|Dr|No|approx|p\.m|a\.m)\.|\b[A-Z]\.)$")


@dataclass(frozen=True)
class Passage:
    """`start` and `end` are character offsets into the document."""

    heading: str
    text: str
    start: int
    end: int


def chunk(text: str, max_characters: int = MAX_CHARACTERS) -> list[Passage]:
    """Passages of a Markdown or plain text, in order; headings are not repeated in the text."""
    passages: list[Passage] = []
    heading = ""
    for start, end in _blocks(text):
        found = _HEADING.match(text, start, end)
        if found and found.end() >= end:
            heading = found.group(1).strip()
            continue
        last = passages[-1] if passages else None
        if last and last.heading == heading and end - last.start <= max_characters:
            passages[-1] = Passage(heading, text[last.start : end], last.start, end)
        else:
            passages += [Passage(heading, text[a:b], a, b) for a, b in _fit(text, start, end, max_characters)]
    return passages


def _blocks(text: str) -> list[tuple[int, int]]:
    """Paragraphs, with heading lines on their own."""
    spans = []
    for match in _PARAGRAPH.finditer(text):
        start, end = match.start(), match.start() + len(match.group().rstrip())
        heading = _HEADING.match(text, start)
        if heading and heading.end() < end:
            spans.append((start, heading.end()))
            start = heading.end() + len(text[heading.end() : end]) - len(text[heading.end() : end].lstrip())
        spans.append((start, end))
    return spans


def _fit(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    if end - start <= limit:
        return [(start, end)]
    pieces: list[tuple[int, int]] = []
    for a, b in sentence_spans(text, start, end):
        while b - a > limit:
            cut = text.rfind(" ", a + 1, a + limit) if " " in text[a + 1 : a + limit] else a + limit
            pieces.append((a, cut))
            a = cut
        if pieces and b - pieces[-1][0] <= limit and pieces[-1][1] <= a:
            pieces[-1] = (pieces[-1][0], b)
        else:
            pieces.append((a, b))
    return pieces


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Offsets of the sentences of `text[start:end]`; common abbreviations do not end one."""
    spans: list[tuple[int, int]] = []
    for match in _SENTENCE.finditer(text, start, len(text) if end is None else end):
        if not match.group():
            continue
        if spans and _ABBREVIATION.search(text[spans[-1][0] : spans[-1][1]]):
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append(match.span())
    return spans
