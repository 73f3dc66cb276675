"""All vectors of an index in memory, each department's side by side, scanned exactly."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matrix:
    """All windows, sorted by department and passage: float32 (windows, dimension).

    `passages` (n,) and `starts` (n,) say which passage begins at which row; `slices` which of them are a department's.
    """

    revision: int
    vectors: np.ndarray
    passages: np.ndarray
    starts: np.ndarray
    slices: dict[int, slice]

    def nearest(self, vector: np.ndarray, department: int, n: int) -> list[tuple[int, float]]:
        """The n passages of a department with the nearest window, as (passage, cosine), best first."""
        part = self.slices.get(department)
        if part is None:
            return []
        starts = self.starts[part]
        end = self.starts[part.stop] if part.stop < len(self.starts) else len(self.vectors)
        cosines = np.maximum.reduceat(self.vectors[starts[0] : end] @ vector, starts - starts[0])
        best = np.argpartition(-cosines, n)[:n] if n < len(cosines) else np.arange(len(cosines))
        best = best[np.argsort(-cosines[best], kind="stable")]
        return [(int(self.passages[part][i]), float(cosines[i])) for i in best]
