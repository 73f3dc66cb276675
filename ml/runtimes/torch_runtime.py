"""PyTorch: on a GPU in batches of a token budget, on a CPU one email at a time.

A batch holds as many emails of like length as fit `TOKENS` padded tokens. A batch that does not fit the GPU's memory is
halved and tried again, and the smaller budget kept.
"""

import logging
from collections.abc import Iterator, Sequence

import torch
from safetensors.torch import load_file

from ml.artifact import Artifact
from ml.embeddings import pad
from ml.model import DualHeadClassifier
from ml.runtimes import Answer

logger = logging.getLogger(__name__)
TOKENS = 16_384


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions in batches whose padded size, rows × longest, stays within the budget; longest first."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


class TorchRuntime:
    name = "torch"

    def __init__(self, artifact: Artifact):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.batches = self._device.type == "cuda"
        self.budget = TOKENS if self.batches else 1
        model = DualHeadClassifier.from_config(str(artifact.folder), artifact.space, layers=artifact.manifest["layers"])
        model.load_state_dict(load_file(artifact.folder / "model.safetensors"))
        self._model = model.to(self._device).eval()

    def run(self, ids: Sequence[Sequence[int]]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        waiting = list(range(len(ids)))
        while waiting:
            try:
                for batch in token_batches([len(ids[i]) for i in waiting], self.budget):
                    rows = [waiting[k] for k in batch]
                    answers.update(zip(rows, self._batch([ids[i] for i in rows]), strict=True))
                break
            except torch.OutOfMemoryError:
                if self.budget <= 1:
                    raise
                self.budget //= 2
                torch.cuda.empty_cache()
                logger.warning("GPU out of memory; batches are at most %s tokens from now on", self.budget)
                waiting = [i for i in waiting if i not in answers]
        return [answers[i] for i in range(len(ids))]

    @torch.inference_mode()
    def _batch(self, ids: Sequence[Sequence[int]]) -> list[Answer]:
        tokens, mask = pad(ids)
        out = self._model(tokens.to(self._device), mask.to(self._device))
        arrays = [t.float().cpu().numpy() for t in (out.type_logits, out.subtype_logits, out.embedding)]
        return [Answer(*row) for row in zip(*arrays, strict=True)]
