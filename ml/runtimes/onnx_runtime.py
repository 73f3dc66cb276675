"""ONNX Runtime on the CPU, single-threaded and one email at a time: there padded batches lose."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from ml.artifact import Artifact
from ml.runtimes import OUTPUTS, Answer


def session(file: Path) -> onnxruntime.InferenceSession:
    """A session of one thread: one process a core serves more than many threads in one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    name = "onnx"
    batches = False

    def __init__(self, artifact: Artifact):
        self._session = session(artifact.folder / "model.onnx")

    def run(self, ids: Sequence[Sequence[int]]) -> list[Answer]:
        return [self._one(tokens) for tokens in ids]

    def _one(self, tokens: Sequence[int]) -> Answer:
        row = np.asarray([tokens], dtype=np.int64)
        found = self._session.run(list(OUTPUTS), {"input_ids": row, "attention_mask": np.ones_like(row)})
        return Answer(*(array[0] for array in found))
