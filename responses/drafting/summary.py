"""A long email in its own most telling sentences, for retrieval without a language model."""

import numpy as np

from ml.chunking import sentence_spans
from ml.embedding import Embedder

MAX_SENTENCES = 60
QUESTION = 0.1  # what a question mark is worth, in cosine
REDUNDANCY = 0.7  # what likeness to a sentence that was taken costs


def extract_summary(text: str, limit: int, embedder: Embedder) -> str:
    """Sentences near to the whole and unlike each other, questions before others, in their order; at most `limit`
    characters.

    Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking" (1998).
    """
    spans = (" ".join(text[a:b].split()) for a, b in sentence_spans(text))
    sentences = list(dict.fromkeys(s for s in spans if len(s) >= 15))[:MAX_SENTENCES]
    if not sentences:
        return text[:limit]
    vectors = embedder.encode([s[:limit] for s in sentences])
    centre = vectors.mean(axis=0)
    scores = vectors @ (centre / max(float(np.linalg.norm(centre)), 1e-12))
    scores = scores + QUESTION * np.array(["?" in s for s in sentences])
    kept: list[int] = []
    room, likeness = limit, np.zeros(len(sentences))
    left = set(range(len(sentences)))
    while left:
        best = max(left, key=lambda i: scores[i] - REDUNDANCY * likeness[i])
        left.discard(best)
        if len(sentences[best]) + 1 <= room:
            kept.append(best)
            room -= len(sentences[best]) + 1
            likeness = np.maximum(likeness, vectors @ vectors[best])
    return " ".join(sentences[i] for i in sorted(kept)) or text[:limit]
