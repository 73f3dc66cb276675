"""ONNX Runtime on the CPU, single-threaded: one process a core beats padded batches there."""

import numpy as np
import onnxruntime

from ml.artifact import Artifact


class OnnxRuntime:
    name = "onnx"

    def __init__(self, artifact: Artifact):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(artifact.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def logits(self, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
        row = np.asarray([ids], dtype=np.int64)
        types, subtypes = self._session.run(
            ["type_logits", "subtype_logits"], {"input_ids": row, "attention_mask": np.ones_like(row)}
        )
        return types[0], subtypes[0]
