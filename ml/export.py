"""Exports the dual-head classifier to ONNX (fp32), folded once by ONNX Runtime."""

import warnings
from pathlib import Path

import torch

from ml.model import DualHeadClassifier

OUTPUTS = ("type_logits", "subtype_logits", "embedding")


class _Tuple(torch.nn.Module):
    """The classifier with plain tensors out, as the exporter wants them."""

    def __init__(self, model: DualHeadClassifier):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        out = self.model(input_ids, attention_mask)
        return out.type_logits, out.subtype_logits, out.embedding


def export_onnx(model: DualHeadClassifier, file: Path) -> None:
    """Write `file` with inputs `input_ids`, `attention_mask` (batch, length) and OUTPUTS.

    Traced at a batch and length above one, so that neither is frozen into the graph.
    """
    import onnxruntime

    model.eval()
    raw = file.with_suffix(".raw.onnx")
    example = (torch.randint(min(100, model.encoder.config.vocab_size), (2, 7)), torch.ones(2, 7, dtype=torch.long))
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Tuple(model),
            example,
            str(raw),
            input_names=["input_ids", "attention_mask"],
            output_names=list(OUTPUTS),
            dynamic_axes={"input_ids": axes, "attention_mask": axes, **{o: {0: "batch"} for o in OUTPUTS}},
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(str(raw), options, providers=["CPUExecutionProvider"])
    raw.unlink()
