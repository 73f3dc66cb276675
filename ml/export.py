"""Exports the dual-head classifier to ONNX: fp32, folded by ONNX Runtime, and int8 where it agrees.

Dynamic quantisation per channel of the encoder's matrix products; the heads stay fp32, since they
cost nothing and decide. int8 is kept only where it gives the same label to at least 99.5% of texts
the heads have not seen and loses at most 0.3 points of accuracy on them.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ml.data import Example
from ml.disentangled import compact_attention
from ml.model import DualHeadClassifier
from ml.runtimes import OUTPUTS
from ml.scoring import Calibration, score
from ml.taxonomy import LabelSpace
from ml.tokenizing import encode_email, load_tokenizer

MIN_AGREEMENT = 0.995
MAX_LOSS = 0.003
FEWEST = 100  # rows to judge int8 by
MOST = 600
PRECISIONS = ("auto", "int8", "fp32")


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

    Traced at a batch and length above one, so that neither is frozen into the graph, and with the plain
    form of attention: the fused one becomes a tenth more work, for masks that a single email never has.
    """
    import onnxruntime

    model.eval()
    fused = model.encoder.config._attn_implementation
    model.encoder.set_attn_implementation("eager")
    raw = file.with_suffix(".raw.onnx")
    example = (torch.randint(min(100, model.encoder.config.vocab_size), (2, 7)), torch.ones(2, 7, dtype=torch.long))
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings(), compact_attention(model.encoder):
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
    model.encoder.set_attn_implementation(fused)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(str(raw), options, providers=["CPUExecutionProvider"])
    raw.unlink()


def quantise(file: Path, target: Path) -> None:
    """Write the int8 form of an exported model to `target`."""
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    heads = [
        n.name for n in onnx.load(file).graph.node if set(n.output) & set(OUTPUTS) and n.op_type in ("Gemm", "MatMul")
    ]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises on the root logger
    try:
        quantize_dynamic(
            file, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, nodes_to_exclude=heads
        )
    finally:
        root.setLevel(level)


@dataclass(frozen=True)
class Precision:
    """Which form serves, and why; agreement and accuracy_loss are shares of `n` rows, None when not measured."""

    precision: str
    reason: str
    n: int = 0
    agreement: float | None = None
    accuracy_loss: float | None = None


def export(
    model: DualHeadClassifier,
    folder: Path,
    space: LabelSpace,
    calibration: Calibration,
    unseen: Sequence[Example],
    precision: str = "auto",
) -> Precision:
    """Write `folder/model.onnx` in the wanted precision; `auto` measures on `unseen` and keeps int8 only if it agrees.

    The folder must hold `tokenizer.json`.
    """
    file, small = folder / "model.onnx", folder / "model.int8.onnx"
    export_onnx(model, file)
    if precision == "fp32":
        return Precision("fp32", "asked for")
    if precision == "auto" and len(unseen) < FEWEST:
        return Precision("fp32", f"{len(unseen)} unseen rows are too few to judge int8 by; needed: {FEWEST}")
    quantise(file, small)
    if precision == "int8":
        small.replace(file)
        return Precision("int8", "asked for")
    found = compare(file, small, folder, space, calibration, unseen[:MOST])
    if found.precision == "int8":
        small.replace(file)
    small.unlink(missing_ok=True)
    return found


def compare(
    full: Path, small: Path, folder: Path, space: LabelSpace, calibration: Calibration, unseen: Sequence[Example]
) -> Precision:
    """Agreement of two exported models on rows, and the accuracy that the second one loses."""
    tokenizer = load_tokenizer(folder)
    ids = [encode_email(tokenizer, e.department, e.subject, e.body) for e in unseen]
    said = [_labels(file, ids, unseen, space, calibration) for file in (full, small)]
    truth = np.array([e.subtype for e in unseen])
    agreement = float((said[0] == said[1]).mean())
    loss = float((said[0] == truth).mean() - (said[1] == truth).mean())
    kept = agreement >= MIN_AGREEMENT and loss <= MAX_LOSS
    reason = (
        f"int8 gives the same subtype as fp32 to {agreement:.1%} of {len(ids)} unseen rows and loses "
        f"{100 * loss:.1f} points; kept from {MIN_AGREEMENT:.1%} and up to {100 * MAX_LOSS:.1f} points"
    )
    return Precision("int8" if kept else "fp32", reason, len(ids), round(agreement, 4), round(loss, 4))


def _labels(
    file: Path, ids: list[list[int]], rows: Sequence[Example], space: LabelSpace, calibration: Calibration
) -> np.ndarray:
    from ml.runtimes.onnx_runtime import session

    run = session(file).run
    labels = []
    for tokens, e in zip(ids, rows, strict=True):
        row = np.asarray([tokens], dtype=np.int64)
        types, subtypes = run(list(OUTPUTS[:2]), {"input_ids": row, "attention_mask": np.ones_like(row)})
        labels.append(score(types[0], subtypes[0], e.department, space, calibration).subtype or "")
    return np.array(labels)
