"""Turns texts into unit vectors with a sentence-transformers model.

An encoder reads only so many tokens (256 for MiniLM, 128 for paraphrase-multilingual-mpnet-base-v2): a longer
text is embedded in windows that fit, and nothing is cut silently.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from ml.chunking import windows
from ml.encoder import encoder_tokenizer, resolve_encoder, unreachable

MAX_PREFIX = 64  # tokens of a title and headings before each window


def fast_tokenizer(name: str) -> Tokenizer:
    """An encoder's tokenizer that neither truncates nor pads, for counting."""
    tokenizer = encoder_tokenizer(name)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class Embedder:
    """A sentence encoder by name (see `ml.encoder`), loaded on first use."""

    def __init__(self, name: str):
        self.name = name

    @cached_property
    def _model(self):
        from sentence_transformers import SentenceTransformer

        with unreachable(self.name):
            return SentenceTransformer(resolve_encoder(self.name), device=None)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return fast_tokenizer(self.name)

    @property
    def dimension(self) -> int:
        return self._model.get_embedding_dimension()

    @property
    def max_tokens(self) -> int:
        """What the encoder reads of a text, special tokens included."""
        return self._model.max_seq_length

    def encode(self, texts: Sequence[str], batch_size: int = 16) -> np.ndarray:
        """float32 (len(texts), dimension), each row of length one; of each text the encoder's `max_tokens` are read."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._model.encode(
            list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
        ).astype(np.float32)

    def encode_passage(self, prefix: str, text: str) -> np.ndarray:
        """float32 (windows, dimension): a passage in as many windows as it needs, each after its title and headings."""
        return self.encode(self.windows(prefix, text))

    def windows(self, prefix: str, text: str) -> list[str]:
        """The texts that `encode_passage` embeds: the prefix (at most 64 tokens of it) and a stretch of the text."""
        encoded = self.tokenizer.encode(prefix, add_special_tokens=False)
        if len(encoded.ids) > MAX_PREFIX:
            prefix = prefix[: encoded.offsets[MAX_PREFIX][0]].rstrip()
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add(False) - min(len(encoded.ids), MAX_PREFIX)
        spans = windows(text, self.tokenizer, max(room - 2, 16))
        return [f"{prefix} {text[a:b]}".strip() for a, b in spans] or [prefix]

    def encode_query(self, text: str) -> np.ndarray:
        """float32 (dimension,): what a passage is compared with. A long text is the mean of its windows, length one."""
        vectors = self.encode(self.windows("", text))
        mean = vectors.mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)
