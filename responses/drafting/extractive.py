"""The drafter without a language model: whole sentences of the knowledge base, quoted and numbered.

It never invents: the only words of its own are the greeting, one line of courtesy by the type
of the email, and the closing.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.chunking import sentence_spans
from ml.embedding import Embedder
from responses.drafting.base import Reply, Request, Source, courtesy
from responses.drafting.language import greeting_and_closing
from responses.drafting.summary import extract_summary
from responses.retrieval.search import Hit, serving_embedder

MAX_SENTENCES = 5
FEW = 2  # where the agent asks for a shorter one
MAX_QUESTIONS = 6
SENTENCE_BAR = 0.28
OF_THE_BEST = 0.8  # a sentence that is much farther than the best one is beside the point
MIN_SENTENCE = 25
_CACHE = 5_000


@dataclass(frozen=True)
class _Sentence:
    hit: Hit
    order: tuple[int, int]
    text: str


class ExtractiveDrafter:
    name = "extractive"

    def __init__(self) -> None:
        self._cache: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()

    def draft(self, request: Request, say: Callable[[str], object] = lambda text: None) -> Reply:
        embedder = serving_embedder()
        if embedder is None:
            return Reply("", [], "")
        # The topic says in English what an email in another language, or a rambling one, is about.
        text = f"{request.topic}: {request.question}" if request.topic else request.question
        vectors = np.concatenate([embedder.encode_query(text)[None], embedder.encode(_questions(request.question))])
        most = FEW if re.search(r"(?i)short|brief", request.hint) else MAX_SENTENCES
        chosen = self._best_sentences(request.hits, vectors, embedder, most)
        sources, lines = _number(chosen)
        greeting, closing = greeting_and_closing(request.customer_name, request.signature, "en")
        body = "\n\n".join([greeting, courtesy(request), "\n".join(lines), closing]) if lines else ""
        return Reply(body, sources, embedder.name, (greeting, courtesy(request), closing))

    def summarise(self, text: str, limit: int) -> str:
        embedder = serving_embedder()
        return extract_summary(text, limit, embedder) if embedder else text[:limit]

    def _best_sentences(
        self, hits: Sequence[Hit], vectors: np.ndarray, embedder: Embedder, most: int
    ) -> list[_Sentence]:
        """The sentences nearest to the email and to one of its own sentences, in reading order."""
        candidates = [
            _Sentence(hit, (rank, start), " ".join(hit.text[start:end].removeprefix("- ").split()))
            for rank, hit in enumerate(hits)
            for start, end in sentence_spans(hit.text)
            if end - start >= MIN_SENTENCE
        ]
        if not candidates:
            return []
        known = self._vectors([c.text for c in candidates], embedder)
        nearness = 0.5 * known @ vectors[0] + 0.5 * (known @ vectors.T).max(axis=1)
        bar = max(SENTENCE_BAR, OF_THE_BEST * float(nearness.max()))
        best = [i for i in np.argsort(-nearness) if nearness[i] >= bar][:most]
        return sorted((candidates[i] for i in best), key=lambda s: s.order)

    def _vectors(self, texts: Sequence[str], embedder: Embedder) -> np.ndarray:
        """Vectors of knowledge sentences; they come back often, so they are kept."""
        missing = list(dict.fromkeys(t for t in texts if (embedder.name, t) not in self._cache))
        for text, vector in zip(missing, embedder.encode(missing), strict=True):
            self._cache[embedder.name, text] = vector
        result = np.array([self._cache[embedder.name, t] for t in texts])
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
