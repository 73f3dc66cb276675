"""Runs texts through an encoder in length-sorted batches, for training with a frozen encoder."""

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer

from ml.model import DualHeadClassifier
from ml.progress import Progress, Watch, unwatched
from ml.tokenizing import encode_email


def embed_emails(
    model: DualHeadClassifier,
    tokenizer: Tokenizer,
    emails: Sequence[tuple[str, str, str]],
    *,
    batch_size: int = 32,
    watch: Watch = unwatched,
) -> np.ndarray:
    """Pooled vectors of (department, subject, body) triples: float32 (n, width), on the model's device."""
    encoded = [encode_email(tokenizer, *email) for email in emails]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    vectors = np.zeros((len(encoded), model.width), dtype=np.float32)
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            ids, mask = pad([encoded[i] for i in rows])
            vectors[rows] = model.pool(ids.to(device), mask.to(device)).float().cpu().numpy()
            watch(Progress("embedding", start + len(rows), len(order)))
    return vectors


def pad(sequences: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-pad token ids to one length: ids and mask, both (batch, longest)."""
    longest = max(len(s) for s in sequences)
    ids = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask
