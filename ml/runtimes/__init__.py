"""Two ways to run an artifact, one contract: token ids in, logits out.

Choose with `load_runtime(name, artifact)`.
"""

from typing import Protocol

import numpy as np

from ml.artifact import Artifact
from ml.errors import ArtifactError

RUNTIMES = ("onnx", "torch")


class Runtime(Protocol):
    """Runs one tokenised email."""

    name: str

    def logits(self, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Type logits (types,) and subtype logits (subtypes,)."""
        ...


def load_runtime(name: str, artifact: Artifact) -> Runtime:
    if name == "onnx":
        from ml.runtimes.onnx_runtime import OnnxRuntime

        return OnnxRuntime(artifact)
    if name == "torch":
        from ml.runtimes.torch_runtime import TorchRuntime

        return TorchRuntime(artifact)
    raise ArtifactError(f"runtime {name!r} is unknown; allowed: {', '.join(RUNTIMES)}")
