"""Fits the two linear heads on pooled vectors, and gathers logits of rows they did not see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from torch import nn

from ml.data import Example
from ml.errors import DataError
from ml.model import department_masks, dual_loss
from ml.taxonomy import LabelSpace

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Targets:
    """Labels as tensors: (n,) types, (n,) subtypes, (n, subtypes) department mask."""

    types: torch.Tensor
    subtypes: torch.Tensor
    mask: torch.Tensor

    def take(self, rows: np.ndarray) -> "Targets":
        return Targets(self.types[rows], self.subtypes[rows], self.mask[rows])

    def without(self, subtypes: np.ndarray) -> "Targets":
        """The same labels in a world where some subtypes are not known."""
        mask = self.mask.clone()
        mask[:, subtypes] = False
        return Targets(self.types, self.subtypes, mask)


@dataclass(frozen=True)
class Logits:
    """Raw answers of both heads: (n, types) and (n, subtypes) arrays."""

    types: np.ndarray
    subtypes: np.ndarray


def targets_of(examples: Sequence[Example], space: LabelSpace) -> Targets:
    """Raises DataError for a label that the space does not hold."""
    for e in examples:
        if (e.department, e.subtype) not in space.index:
            raise DataError(
                f"subtype {e.subtype!r} is not in department {e.department!r} of the label space", field="subtype"
            )
    return Targets(
        torch.tensor([space.types.index(e.type) for e in examples]),
        torch.tensor([space.index[e.department, e.subtype] for e in examples]),
        department_masks([e.department for e in examples], space),
    )


def check_trainable(examples: Sequence[Example]) -> None:
    """Raises DataError for training rows of one class."""
    if len({(e.department, e.subtype) for e in examples}) < 2:
        raise DataError("training data holds fewer than two subtypes; at least two are needed")


def class_weights(targets: Targets) -> torch.Tensor:
    """Weight of each row, (n,), mean one: rows of a rare subtype weigh more, by the root of its rarity.

    The root keeps a subtype of three rows from outweighing one of three hundred altogether.
    """
    counts = torch.bincount(targets.subtypes).clamp(min=1).float()
    weights = (1 / counts[targets.subtypes]).sqrt()
    return weights / weights.mean()


def fit_heads(
    heads: Sequence[nn.Linear],
    vectors: torch.Tensor,
    targets: Targets,
    c: float,
    weights: torch.Tensor | None = None,
    steps: int = 200,
) -> None:
    """Minimise loss + ‖w‖² / (2·c·n) over type head and subtype head with L-BFGS, in place.

    `vectors` is (n, width); `weights` (n,) weighs the rows.
    """
    for head in heads:
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    parameters = [p for head in heads for p in head.parameters()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=steps, history_size=10, line_search_fn="strong_wolfe")
    type_head, subtype_head = heads

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        penalty = sum((head.weight**2).sum() for head in heads) / (2 * c * len(vectors))
        logits = type_head(vectors), subtype_head(vectors)
        loss = dual_loss(*logits, targets.types, targets.subtypes, targets.mask, weights) + penalty
        loss.backward()
        return loss

    optimizer.step(closure)


def new_heads(width: int, space: LabelSpace) -> tuple[nn.Linear, nn.Linear]:
    return nn.Linear(width, len(space.types)), nn.Linear(width, len(space.subtypes))


@torch.inference_mode()
def head_logits(heads: Sequence[nn.Linear], vectors: torch.Tensor) -> Logits:
    return Logits(heads[0](vectors).numpy(), heads[1](vectors).numpy())


def folds_of(groups: np.ndarray, folds: int, seed: int) -> Folds:
    """(fit rows, held rows) of each fold; rows of one group, (n,), are held together, since a near-copy would tell.

    Raises DataError where all rows are one group.
    """
    distinct = len(np.unique(groups))
    if distinct < 2:
        raise DataError("all training rows say nearly the same; at least two different texts are needed")
    return list(GroupKFold(min(folds, distinct), shuffle=True, random_state=seed).split(groups, groups=groups))


def out_of_fold(
    vectors: torch.Tensor,
    targets: Targets,
    space: LabelSpace,
    *,
    c: float,
    folds: Folds,
    weights: torch.Tensor | None = None,
    on_fold: Callable[[int], object] = lambda k: None,
) -> Logits:
    """Logits of every row by heads that were fitted without it."""
    n = len(vectors)
    found = Logits(np.zeros((n, len(space.types))), np.zeros((n, len(space.subtypes))))
    for k, (fit, held) in enumerate(folds):
        heads = new_heads(vectors.shape[1], space)
        fit_heads(heads, vectors[fit], targets.take(fit), c, None if weights is None else weights[fit])
        logits = head_logits(heads, vectors[held])
        found.types[held], found.subtypes[held] = logits.types, logits.subtypes
        on_fold(k)
    return found
