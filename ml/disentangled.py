"""DeBERTa's disentangled attention in the form that is cheapest to serve.

The library multiplies every token with all position buckets (512 at DeBERTa-v3-base) and gathers what it needs one
number at a time. An email of L tokens has only 2L − 1 relative positions: here tokens meet just these, laid out by
distance, and the (L, L) scores are a shifted view of the product. The shift is that of Transformer-XL (Dai and others,
2019, appendix B). Weights and results are the library's own; only the exporter uses this form.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention, make_log_bucket_position


@contextmanager
def compact_attention(encoder: PreTrainedModel) -> Iterator[None]:
    """Within the block, every disentangled attention of `encoder` runs in the compact form; others are left alone."""
    found = [m for m in encoder.modules() if isinstance(m, DisentangledSelfAttention) and m.relative_attention]
    for module in found:
        module.forward = partial(_attend, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in found:
            del module.forward


def _attend(
    module: DisentangledSelfAttention,
    hidden_states: Tensor,
    attention_mask: Tensor,
    output_attentions: bool = False,
    query_states: Tensor | None = None,
    relative_pos: Tensor | None = None,
    rel_embeddings: Tensor | None = None,
) -> tuple[Tensor, None]:
    """What `DisentangledSelfAttention.forward` gives for texts of two tokens and more: (batch, length, hidden)."""
    assert rel_embeddings is not None
    kinds = module.pos_att_type
    query = _heads(module, module.query_proj(hidden_states if query_states is None else query_states))
    key, value = _heads(module, module.key_proj(hidden_states)), _heads(module, module.value_proj(hidden_states))
    scale = (module.attention_head_size * (1 + len({"c2p", "p2c"} & set(kinds)))) ** -0.5
    query, length = query * scale, query.size(-2)
    scores = query @ key.transpose(-1, -2)
    rows = _buckets(module, torch.arange(1 - length, length, device=query.device))
    if "c2p" in kinds:
        table = _table(module, rel_embeddings, "key").index_select(1, rows.flip(0))
        scores = scores + _shift(query @ table.transpose(-1, -2))
    if "p2c" in kinds:
        table = _table(module, rel_embeddings, "query").index_select(1, rows) * scale
        scores = scores + _shift(key @ table.transpose(-1, -2)).transpose(-1, -2)
    keys = attention_mask[:, :, :1].bool()  # the first token is never padding: its row says which keys are
    scores = scores + torch.zeros_like(keys, dtype=scores.dtype).masked_fill(~keys, torch.finfo(scores.dtype).min)
    context = torch.softmax(scores, dim=-1) @ value
    return context.transpose(1, 2).reshape(*hidden_states.shape[:2], module.all_head_size), None


def _heads(module: DisentangledSelfAttention, x: Tensor) -> Tensor:
    """(batch, length, hidden) to (batch, heads, length, head size)."""
    return x.reshape(*x.shape[:2], module.num_attention_heads, module.attention_head_size).transpose(1, 2)


def _buckets(module: DisentangledSelfAttention, distance: Tensor) -> Tensor:
    """Row of the position table for each distance query − key."""
    span = module.pos_ebd_size
    if module.position_buckets > 0:
        distance = make_log_bucket_position(distance, module.position_buckets, module.max_relative_positions)
    return (distance.to(torch.long) + span).clamp(0, 2 * span - 1)


def _table(module: DisentangledSelfAttention, rel_embeddings: Tensor, side: str) -> Tensor:
    """The positions as keys or queries, (heads, 2 × span, head size): constant, so the exporter folds it."""
    shared = "" if module.share_att_key else "pos_"
    positions = getattr(module, f"{shared}{side}_proj")(rel_embeddings[: 2 * module.pos_ebd_size])
    return _heads(module, positions[None])[0]


def _shift(by_distance: Tensor) -> Tensor:
    """(…, L, 2L − 1) by distance to (…, L, L) by position: out[i, j] = in[i, j − i + L − 1]."""
    *batch, length, distances = by_distance.shape
    flat = by_distance.reshape(*batch, length * distances)[..., length - 1 : length * (distances - 1) + length - 1]
    return flat.reshape(*batch, length, distances - 1)[..., :length]
