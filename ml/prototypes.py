"""Subtypes known by examples: where texts lie in the encoder's space, and how similarity becomes a score.

Source: Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning" (2017). How the scales
are found is in `ml.rehearsal`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.scoring import Prototypes

EXAMPLES = 8  # of a new subtype, where nobody says otherwise


@dataclass(frozen=True)
class Centres:
    """Where texts lie: the mean of all vectors (width,), and of each known subtype (subtypes, width), centred and
    scaled to length one; a subtype without rows is zero."""

    mean: np.ndarray
    known: np.ndarray

    def direction(self, vectors: np.ndarray) -> np.ndarray:
        return unit(vectors - self.mean)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def centres_of(vectors: np.ndarray, subtypes: np.ndarray, n_subtypes: int) -> Centres:
    """Centres of (n, width) vectors with (n,) subtype positions."""
    mean = vectors.mean(axis=0)
    known = np.zeros((n_subtypes, vectors.shape[1]), dtype=np.float32)
    for k in np.unique(subtypes):
        known[k] = unit(vectors[subtypes == k].mean(axis=0) - mean)
    return Centres(mean.astype(np.float32), known)


def similarities(x: np.ndarray, examples: Sequence[np.ndarray], known: np.ndarray) -> np.ndarray:
    """(n, new subtypes, 3): cosine to the centre, to the nearest example, to the nearest known centre.

    `x` (n, width), each of `examples` (k, width) and `known` (m, width) are directions.
    """
    rival = (x @ known.T).max(axis=1) if len(known) else np.zeros(len(x))
    columns = [np.stack([x @ unit(e.mean(axis=0)), (x @ e.T).max(axis=1), rival], axis=-1) for e in examples]
    return np.stack(columns, axis=1)


def prototype_scores(features: np.ndarray, p: Prototypes) -> np.ndarray:
    """Scores on the scale of centred logits, (n, new subtypes)."""
    return p.mean * features[..., 0] + p.nearest * features[..., 1] - p.rival * features[..., 2] + p.offset
