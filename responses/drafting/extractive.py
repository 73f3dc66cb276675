"""The drafter without a language model: whole sentences of the knowledge base, quoted and numbered.

It never invents: the only words of its own are the greeting, one line of courtesy by the type
of the email, and the closing.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.conf import settings

from ml.chunking import sentence_spans
from ml.tokenizing import email_text
from responses.drafting.base import Reply, Request, Source
from responses.knowledge.services import embedder
from responses.retrieval.base import Hit, retriever

PASSAGES = 4
MAX_SENTENCES = 5
MAX_QUESTIONS = 6
PASSAGE_BAR = 0.28  # cosine with the email under which a passage does not count as an answer
SENTENCE_BAR = 0.28
MIN_SENTENCE = 25
_CACHE = 5_000

_COURTESY = {
    "complaint": "Thank you for telling us, and we are sorry for the trouble you have had.",
    "query": "Thank you for your question.",
    "suggestion": "Thank you for taking the time to send us your suggestion.",
}


@dataclass(frozen=True)
class _Sentence:
    hit: Hit
    order: tuple[int, int]
    text: str


class ExtractiveDrafter:
    name = "extractive"

    def __init__(self) -> None:
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()

    def draft(self, request: Request) -> Reply:
        written = email_text(request.subject, request.body)
        # The topic says in English what an email in another language, or a rambling one, is about.
        text = f"{request.topic}: {written}" if request.topic else written
        # Two calls, since in one the short questions would be padded to the length of the email.
        encode = embedder.get().encode
        vectors = np.concatenate([encode([text]), encode(_questions(written))])
        hits = retriever.get().search(text=text, vector=vectors[0], department_id=request.department_id, k=PASSAGES)
        hits = [h for h in hits if h.score >= PASSAGE_BAR]
        chosen = self._best_sentences(hits, vectors)
        sources, lines = _number(chosen)
        body = _compose(request, lines) if lines else ""
        return Reply(body, sources, settings.EMBEDDER)

    def _best_sentences(self, hits: Sequence[Hit], vectors: np.ndarray) -> list[_Sentence]:
        """The sentences nearest to the email and to one of its own sentences, in reading order."""
        candidates = [
            _Sentence(hit, (rank, start), " ".join(hit.text[start:end].split()))
            for rank, hit in enumerate(hits)
            for start, end in sentence_spans(hit.text)
            if end - start >= MIN_SENTENCE
        ]
        if not candidates:
            return []
        known = self._vectors([c.text for c in candidates])
        nearness = 0.5 * known @ vectors[0] + 0.5 * (known @ vectors.T).max(axis=1)
        best = [i for i in np.argsort(-nearness) if nearness[i] >= SENTENCE_BAR][:MAX_SENTENCES]
        return sorted((candidates[i] for i in best), key=lambda s: s.order)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of knowledge sentences; they come back often, so they are kept."""
        missing = list(dict.fromkeys(t for t in texts if t not in self._cache))
        for text, vector in zip(missing, embedder.get().encode(missing), strict=True):
            self._cache[text] = vector
        result = np.array([self._cache[t] for t in texts])
        while len(self._cache) > _CACHE:
            self._cache.popitem(last=False)
        return result


def _questions(text: str) -> list[str]:
    sentences = [" ".join(text[a:b].split()) for a, b in sentence_spans(text)]
    return [s for s in sentences if len(s) >= 15][:MAX_QUESTIONS]


def _number(sentences: Sequence[_Sentence]) -> tuple[list[Source], list[str]]:
    """Number the passages in the order they are cited; each line ends in its number."""
    numbers: dict[int, int] = {}
    for s in sentences:
        numbers.setdefault(s.hit.passage_id, len(numbers) + 1)
    lines = [f"{s.text} [{numbers[s.hit.passage_id]}]" for s in sentences]
    quotes: dict[int, list[_Sentence]] = {}
    for s in sentences:
        quotes.setdefault(s.hit.passage_id, []).append(s)
    sources = [Source(numbers[pk], q[0].hit, " … ".join(s.text for s in q)) for pk, q in quotes.items()]
    return sources, lines


def _compose(request: Request, lines: Sequence[str]) -> str:
    greeting = f"Dear {request.customer_name}," if request.customer_name else "Hello,"
    courtesy = _COURTESY.get(request.type, "Thank you for your message.")
    return "\n\n".join([greeting, courtesy, "\n".join(lines), f"Kind regards,\n{request.signature}"])
