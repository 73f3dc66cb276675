"""Two ways to run an artifact, one contract: token ids in, logits out.

Choose with `load_runtime(name, artifact)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ml.artifact import Artifact
from ml.errors import ArtifactError

OUTPUTS = ("type_logits", "subtype_logits", "embedding")  # of the exported graph
RUNTIMES = ("onnx", "torch")


@dataclass(frozen=True)
class Answer:
    """What the model says of one email: logits (types,) and (subtypes,), pooled text (width,)."""

    types: np.ndarray
    subtypes: np.ndarray
    embedding: np.ndarray


class Runtime(Protocol):
    """Runs tokenised emails."""

    name: str
    batches: bool  # whether several emails at once are cheaper

    def run(self, ids: Sequence[Sequence[int]]) -> list[Answer]:
        """One answer an email, in order; batched where that pays on the machine."""
        ...


def load_runtime(name: str, artifact: Artifact) -> Runtime:
    if name == "onnx":
        from ml.runtimes.onnx_runtime import OnnxRuntime

        return OnnxRuntime(artifact)
    if name == "torch":
        from ml.runtimes.torch_runtime import TorchRuntime

        return TorchRuntime(artifact)
    raise ArtifactError(f"runtime {name!r} is unknown; allowed: {', '.join(RUNTIMES)}")
