"""The dual-head classifier: one shared encoder, a linear head for the type, one for the subtype.

Loss is cross-entropy of the type plus cross-entropy of the subtype, the latter over the
subtypes of the email's own department only (the others are masked out).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoConfig, AutoModel, PreTrainedModel

from ml.encoder import unreachable
from ml.errors import DataError
from ml.taxonomy import LabelSpace

MASKED = -1e4  # finite, so that half precision and ONNX stay free of NaN


@dataclass
class DualHeadOutput:
    """Logits of both heads, (batch, types) and (batch, subtypes); the pooled text (batch, width)."""

    type_logits: Tensor
    subtype_logits: Tensor
    embedding: Tensor
    loss: Tensor | None = None


class DualHeadClassifier(nn.Module):
    """Encoder with mean pooling and two linear heads.

    With `layers` = 0 the last layer is pooled, as for fine-tuning. With n > 0 the last n layers
    are pooled, each scaled to length one, side by side: a frozen sentence encoder has tone and
    intent in its middle layers, which its last one has traded for topic.
    """

    def __init__(self, encoder: PreTrainedModel, n_types: int, n_subtypes: int, layers: int = 0):
        super().__init__()
        if not 0 <= layers <= encoder.config.num_hidden_layers:
            raise DataError(f"layers is {layers}; allowed: 0 to {encoder.config.num_hidden_layers} with this encoder")
        self.encoder: PreTrainedModel = encoder
        self.layers = layers
        self.width = encoder.config.hidden_size * max(layers, 1)
        self.type_head = nn.Linear(self.width, n_types)
        self.subtype_head = nn.Linear(self.width, n_subtypes)

    @classmethod
    def from_encoder(cls, source: str, space: LabelSpace, *, layers: int = 0) -> "DualHeadClassifier":
        """Pretrained encoder (folder or hub name) under fresh heads."""
        with unreachable(source):
            encoder = AutoModel.from_pretrained(source, dtype=torch.float32)
        return cls(encoder, len(space.types), len(space.subtypes), layers)

    @classmethod
    def from_config(cls, folder: str, space: LabelSpace, *, layers: int = 0) -> "DualHeadClassifier":
        """The same shape without weights, to be filled from an artifact."""
        encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder)).float()
        return cls(encoder, len(space.types), len(space.subtypes), layers)

    def pool(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean of the token vectors under the mask: (batch, width)."""
        deep = self.layers > 0
        out = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=deep)
        mask = attention_mask.unsqueeze(-1).to(out.last_hidden_state.dtype)
        if not deep:
            return _mean(out.last_hidden_state, mask)
        pooled = [normalize(_mean(h, mask), dim=-1) for h in out.hidden_states[-self.layers :]]
        return torch.cat(pooled, dim=-1) / self.layers**0.5

    def heads(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        return self.type_head(embedding), self.subtype_head(embedding)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        type_labels: Tensor | None = None,
        subtype_labels: Tensor | None = None,
        subtype_mask: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> DualHeadOutput:
        """`subtype_mask` is (batch, subtypes), True where the department has the subtype; `weights` (batch,)."""
        embedding = self.pool(input_ids, attention_mask)
        type_logits, subtype_logits = self.heads(embedding)
        loss = None
        if type_labels is not None and subtype_labels is not None and subtype_mask is not None:
            loss = dual_loss(type_logits, subtype_logits, type_labels, subtype_labels, subtype_mask, weights)
        return DualHeadOutput(type_logits, subtype_logits, embedding, loss)


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the length, (batch, length, hidden) under (batch, length, 1)."""
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)


def dual_loss(
    type_logits: Tensor,
    subtype_logits: Tensor,
    type_labels: Tensor,
    subtype_labels: Tensor,
    subtype_mask: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """Type loss plus masked subtype loss, each the mean over the batch, weighted by row where `weights` is given."""
    masked = subtype_logits.masked_fill(~subtype_mask, MASKED)
    if weights is None:
        return cross_entropy(type_logits, type_labels) + cross_entropy(masked, subtype_labels)
    rows = cross_entropy(type_logits, type_labels, reduction="none")
    return ((rows + cross_entropy(masked, subtype_labels, reduction="none")) * weights).mean()


def department_masks(departments: list[str], space: LabelSpace) -> Tensor:
    """(batch, subtypes) booleans: True where the row's department has the subtype."""
    masks = torch.zeros(len(departments), len(space.subtypes), dtype=torch.bool)
    for row, department in enumerate(departments):
        masks[row, list(space.members[department])] = True
    return masks
