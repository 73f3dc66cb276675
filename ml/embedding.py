"""Turns texts into unit vectors with a sentence-transformers model."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ml.encoder import resolve_encoder


class Embedder:
    """A sentence encoder by name (see `ml.encoder`), loaded on first use."""

    def __init__(self, name: str):
        self.name = name

    @cached_property
    def _model(self):
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(resolve_encoder(self.name), device=None)

    @property
    def dimension(self) -> int:
        return self._model.get_embedding_dimension()

    def encode(self, texts: Sequence[str], batch_size: int = 16) -> np.ndarray:
        """float32 (len(texts), dimension), each row of length one."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._model.encode(
            list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
        ).astype(np.float32)
