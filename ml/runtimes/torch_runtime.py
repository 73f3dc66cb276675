"""PyTorch, on a GPU where there is one."""

import numpy as np
import torch
from safetensors.torch import load_file

from ml.artifact import Artifact
from ml.model import DualHeadClassifier


class TorchRuntime:
    name = "torch"

    def __init__(self, artifact: Artifact):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = DualHeadClassifier.from_config(str(artifact.folder), artifact.space, layers=artifact.manifest["layers"])
        model.load_state_dict(load_file(artifact.folder / "model.safetensors"))
        self._model = model.to(self._device).eval()

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
        row = torch.tensor([ids], device=self._device)
        out = self._model(row, torch.ones_like(row))
        return out.type_logits[0].float().cpu().numpy(), out.subtype_logits[0].float().cpu().numpy()
