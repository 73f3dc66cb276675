"""Checks a draft sentence by sentence: what it rests on, and what rests on nothing.

Three layers. Words that stand letter by letter in a source rest on it. Numbers, dates, names and links must occur in
a source or (but for links) in the customer's email. What is worded anew must be near in meaning to a source, must not
turn its yes into a no, and must not promise what it only says may be. A mark is a hint to the agent, not a verdict: how often
each is right is measured on a set made by hand (tests/responses/grounding_cases.jsonl, figures in docs/replies.md).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ml.chunking import sentence_spans
from responses.drafting.facts import dates_of, links_of, numbers_of, unknown_names, words_of

Encode = Callable[[Sequence[str]], np.ndarray]  # texts → (n, dimension) of length one
NEAR = 0.62  # cosine from which a sentence counts as a source's in other words
NEAR_IN_NEW_WORDS = 0.73  # the same, where half of its words and more stand in no source
_CITED = re.compile(r"\s*\[(\d+)\]")
_LEADING = re.compile(r"(?:\s*\[\d+\])+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|unable|impossible|nicht|nie|keine?[nrms]?|weder|ohne|nunca|ningun[ao]?|sin)\b|n['’]t\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bno (?:more|later|less|fewer|longer) than\b|\b(?:at|for) no (?:cost|charge|extra cost)\b|\bno (?:cost|charge|fee)\b|"
    r"\bnot only\b|\bno problem\b|\bnot applicable\b|\bwhether or not\b",
    re.IGNORECASE,
)
_TURN = re.compile(r"[,;]?\s+(?:but|however|although|while|aber|sondern|pero)\s+|;\s+", re.IGNORECASE)
_PROMISE = re.compile(
    r"\b(?:always|every(?:body|one|thing|where)?|all|any|guarantee[sd]?|guaranteed|certainly|definitely|certain|sure|promise[sd]?|"
    r"whatever|in any case|in every case|without exception|immediately|instantly|at any time|unlimited|completely|"
    r"never|immer|jede[rsmn]?|garantiert|siempre|todos)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?:may|might|could|usually|normally|typically|generally|often|sometimes|mostly|on average|about|around|approximately|"
    r"up to|at most|between|if|unless|as long as|provided|where|when|once|subject to|depending|in most cases|possible|"
    r"allows?|available|except|only)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Passage:
    """A source as it is checked against: its number in the draft and its text."""

    number: int
    text: str


@dataclass(frozen=True)
class Mark:
    """What an agent should look at: `kind` is support, number, date, name, link, negation or promise; `text` the words."""

    kind: str
    text: str


@dataclass(frozen=True)
class Checked:
    """A sentence of a draft, `[n]` taken out: which sources it rests on, how near the nearest is, and its marks."""

    text: str
    sources: list[int] = field(default_factory=list)
    score: float = 1.0
    marks: list[Mark] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check_draft(body: str, evidence: "Evidence", own: Sequence[str]) -> list[Checked]:
    """Every sentence of a draft but those in `own`, the drafter's greeting, courtesy and closing."""
    return [evidence.check(sentence) for sentence in sentences_of(body, own)]


def sentences_of(body: str, own: Sequence[str] = ()) -> list[str]:
    """The sentences of a reply with their `[n]`, without those in `own`."""
    skipped = {_plain(line) for text in own for line in text.splitlines()}
    found: list[str] = []
    for line in body.splitlines():
        if not line.strip() or _plain(line) in skipped:
            continue
        for start, end in sentence_spans(line):
            sentence, leading = line[start:end], _LEADING.match(line, start, end)
            if found and leading:  # a number after a full stop belongs to the sentence before it
                found[-1] += f" {leading.group().strip()}"
                sentence = line[leading.end() : end].strip()
            if sentence:
                found.append(sentence)
    return [sentence for sentence in found if _plain(sentence) not in skipped]


class Evidence:
    """The sources and the email of one draft; embedded once, and only if a sentence is no quote."""

    def __init__(self, passages: Sequence[Passage], email: str, encode: Encode):
        self._encode, self._email = encode, email
        self._quotable = [(p.number, _plain(p.text)) for p in passages]
        everything = " ".join([email, *(p.text for p in passages)])
        self._numbers, self._dates, self._words = numbers_of(everything), dates_of(everything), words_of(everything)
        self._stems = {w[:5] for w in self._words if len(w) > 3}
        self._links = links_of(" ".join(p.text for p in passages))
        # sentences and clauses first, whose yes or no is compared; then neighbours of two
        single = [(p.number, p.text[a:b]) for p in passages for a, b in _sentences(p.text)]
        self._parts = single + [(p.number, p.text[a:b]) for p in passages for a, b in _pairs(p.text)]
        self._single = len(single)

    @cached_property
    def _vectors(self) -> np.ndarray:
        return self._encode([text for _, text in self._parts])

    @cached_property
    def _asked(self) -> np.ndarray:
        sentences = [self._email[a:b] for a, b in sentence_spans(self._email)][:20]
        return self._encode(sentences) if sentences else np.zeros((0, self._vectors.shape[1]), np.float32)

    def facts(self, text: str) -> list[Mark]:
        """Marks for links, numbers and dates that stand nowhere: what can be said without an encoder."""
        marks = [Mark("link", link) for link in sorted(links_of(text) - self._links)]
        marks += [Mark("number", n) for n in _readable(numbers_of(text) - self._numbers)]
        return marks + [Mark("date", d) for d in sorted(dates_of(text) - self._dates)]

    def check(self, sentence: str) -> Checked:
        cited = [int(n) for n in _CITED.findall(sentence)]
        text = bare(sentence)
        quoted = [number for number, words in self._quotable if _plain(text) in words]
        if quoted:
            return Checked(text, quoted)
        marks = [*self.facts(text), *(Mark("name", name) for name in unknown_names(text, self._words))]
        score, sources, nearest = self._nearest(text)
        if score < (NEAR if self._known_share(text) > 0.5 else NEAR_IN_NEW_WORDS):
            return Checked(text, [n for n in sources if n in cited], round(score, 3), [*marks, Mark("support", "")])
        return Checked(text, sources, round(score, 3), [*marks, *_turned(text, nearest)])

    def _known_share(self, text: str) -> float:
        """Share of the longer words that stand in a source or the email, compared by their first five letters."""
        stems = {w[:5] for w in words_of(text) if len(w) > 3}
        return len(stems & self._stems) / len(stems) if stems else 1.0

    def _nearest(self, text: str) -> tuple[float, list[int], str]:
        """How near the sources are to the text, which of them, and the words that are nearest.

        A sentence may join two sources, or a source and the email: then the mean of the two is compared.
        """
        if not self._parts:
            return 0.0, [], ""
        vector = self._encode([text])[0]
        cosines = self._vectors @ vector
        best = int(np.argmax(cosines))
        score, sources = float(cosines[best]), [self._parts[best][0]]
        others: list[tuple[int | None, np.ndarray]] = [
            (number, self._vectors[i])
            for i, (number, _) in enumerate(self._parts)
            if number != sources[0] and cosines[i] > 0.25
        ]
        if len(self._asked):
            others.append((None, self._asked[int(np.argmax(self._asked @ vector))]))
        for number, other in others:
            mean = self._vectors[best] + other
            joint = float(mean @ vector / max(float(np.linalg.norm(mean)), 1e-12))
            if joint > score + 0.02:
                score, sources = joint, sorted({self._parts[best][0], *([number] if number else [])})
        return score, sources, self._parts[int(np.argmax(cosines[: self._single]))][1]


def _sentences(text: str) -> list[tuple[int, int]]:
    """Sentences, and the clauses of those that turn in the middle."""
    spans = sentence_spans(text)
    return [*spans, *(clause for span in spans for clause in _clauses(text, *span))]


def _pairs(text: str) -> list[tuple[int, int]]:
    spans = sentence_spans(text)
    return [(a[0], b[1]) for a, b in zip(spans, spans[1:], strict=False)]


def _clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    turns = list(_TURN.finditer(text, start, end))
    edges = [start, *(m.end() for m in turns)], [*(m.start() for m in turns), end]
    return list(zip(*edges, strict=True)) if turns else []


def _turned(text: str, source: str) -> list[Mark]:
    """Marks for a yes that became a no, and for a promise that the source does not make."""
    marks = []
    said, meant = _negations(text), _negations(source)
    if said % 2 != meant % 2:
        marks.append(Mark("negation", source))
    strong = {m.group().lower() for m in _PROMISE.finditer(text)} - {
        m.group().lower() for m in _PROMISE.finditer(source)
    }
    hedged = {m.group().lower() for m in _HEDGE.finditer(source)} - {m.group().lower() for m in _HEDGE.finditer(text)}
    if strong and (
        hedged or strong & {"always", "everybody", "everyone", "guarantee", "guaranteed", "certainly", "never"}
    ):
        marks.append(Mark("promise", ", ".join(sorted(strong))))
    return marks


def _negations(text: str) -> int:
    return len(_NEGATION.findall(_HARMLESS.sub(" ", text)))


def _readable(missing: set[str]) -> list[str]:
    """Numbers as digits, times as hh:mm."""
    return sorted(f"{int(n[1:]) // 60}:{int(n[1:]) % 60:02}" if n.startswith("t") else n for n in missing)


def bare(sentence: str) -> str:
    """A sentence without its source numbers."""
    return " ".join(_CITED.sub("", sentence).split())


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`#>\"“”]", "", _CITED.sub("", text)).lower().split()).strip(" -")
