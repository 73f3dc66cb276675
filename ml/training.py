"""Trains the two heads on a frozen encoder: seconds on a CPU, no GPU needed.

The heads are fitted together on the same loss as fine-tuning (type + masked subtype), with
an L2 penalty. Temperatures come from cross-validated logits, that is from rows the heads had
not seen, so that confidences hold outside the training data too.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from sklearn.model_selection import KFold

from ml.calibration import fit_temperature
from ml.data import Example
from ml.embeddings import embed_emails
from ml.encoder import resolve_encoder
from ml.errors import DataError
from ml.model import DualHeadClassifier, department_masks, dual_loss
from ml.scoring import Calibration, joint_log_scores, log_softmax
from ml.taxonomy import LabelSpace
from ml.tokenizing import load_tokenizer


@dataclass(frozen=True)
class FrozenSettings:
    """Hyperparameters of frozen training; `c` is the inverse of the L2 strength, as in scikit-learn;
    `layers` is how many of the encoder's last layers are pooled."""

    c: float = 30.0
    layers: int = 4
    folds: int = 5
    seed: int = 42


@dataclass(frozen=True)
class Trained:
    """A fitted model with what an artifact records about it."""

    model: DualHeadClassifier
    space: LabelSpace
    calibration: Calibration
    hyperparameters: dict


@dataclass(frozen=True)
class Targets:
    """Labels as tensors: (n,) types, (n,) subtypes, (n, subtypes) department mask."""

    types: torch.Tensor
    subtypes: torch.Tensor
    mask: torch.Tensor

    def take(self, rows: np.ndarray) -> "Targets":
        return Targets(self.types[rows], self.subtypes[rows], self.mask[rows])


def targets_of(examples: Sequence[Example], space: LabelSpace) -> Targets:
    """Raises DataError for a label that the space does not hold, or data of one class."""
    if len({(e.department, e.subtype) for e in examples}) < 2:
        raise DataError("training data holds fewer than two subtypes; at least two are needed")
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


def train_frozen(
    examples: Sequence[Example],
    *,
    encoder: str,
    space: LabelSpace,
    settings: FrozenSettings = FrozenSettings(),  # noqa: B008 (frozen)
    progress: bool = False,
) -> Trained:
    """Fit both heads on the frozen encoder's vectors of `examples`."""
    targets = targets_of(examples, space)
    torch.manual_seed(settings.seed)
    source = resolve_encoder(encoder)
    model = DualHeadClassifier.from_encoder(source, space, layers=settings.layers)
    emails = [(e.department, e.subject, e.body) for e in examples]
    vectors = torch.from_numpy(embed_emails(model, load_tokenizer(source), emails, progress=progress))
    calibration = _cross_validated(model, vectors, targets, examples, space, settings)
    fit_heads(model, vectors, targets, settings.c)
    return Trained(model, space, calibration, {"mode": "frozen", "encoder": encoder, **asdict(settings)})


def fit_heads(model: DualHeadClassifier, vectors: torch.Tensor, targets: Targets, c: float, steps: int = 200) -> None:
    """Minimise loss + ‖w‖² / (2·c·n) over both heads with L-BFGS, in place."""
    heads = [model.type_head, model.subtype_head]
    for head in heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    parameters = [p for head in heads for p in head.parameters()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=steps, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        penalty = sum((head.weight**2).sum() for head in heads) / (2 * c * len(vectors))
        loss = dual_loss(*model.heads(vectors), targets.types, targets.subtypes, targets.mask) + penalty
        loss.backward()
        return loss

    optimizer.step(closure)


def _cross_validated(
    model: DualHeadClassifier,
    vectors: torch.Tensor,
    targets: Targets,
    examples: Sequence[Example],
    space: LabelSpace,
    settings: FrozenSettings,
) -> Calibration:
    """Temperatures from the logits of rows left out of each fold."""
    folds = min(settings.folds, len(examples))
    type_logits = np.zeros((len(examples), len(space.types)))
    subtype_logits = np.zeros((len(examples), len(space.subtypes)))
    for fit, held in KFold(folds, shuffle=True, random_state=settings.seed).split(vectors):
        fit_heads(model, vectors[fit], targets.take(fit), settings.c)
        with torch.inference_mode():
            logits = model.heads(vectors[held])
        type_logits[held], subtype_logits[held] = logits[0].numpy(), logits[1].numpy()
    return calibrate(type_logits, subtype_logits, examples, space)


def calibrate(
    type_logits: np.ndarray, subtype_logits: np.ndarray, examples: Sequence[Example], space: LabelSpace
) -> Calibration:
    """Fit the temperatures on logits of unseen rows: (n, types) and (n, subtypes)."""
    joint, places = [], []
    for row, e in enumerate(examples):
        members = space.members[e.department]
        joint.append(joint_log_scores(type_logits[row], subtype_logits[row], members, space))
        places.append(members.index(space.index[e.department, e.subtype]))
    type_scores = [log_softmax(row) for row in type_logits]
    return Calibration(
        joint=fit_temperature(joint, places),
        type=fit_temperature(type_scores, [space.types.index(e.type) for e in examples]),
    )
