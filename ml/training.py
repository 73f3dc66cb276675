"""Trains the two heads on a frozen encoder: a minute on a CPU, no GPU needed.

The heads are fitted together on the same loss as fine-tuning (type + masked subtype), with
an L2 penalty, on training and validation rows alike. What validation is for, temperatures and
thresholds, comes from cross-validation over these rows, so that each counts and none is judged by heads that had seen it;
the test rows stay out of all of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch

from ml.augmentation import augment_rare, rare_subtypes
from ml.data import Example
from ml.embeddings import embed_emails
from ml.encoder import resolve_encoder
from ml.errors import DataError
from ml.heads import (
    Folds,
    Logits,
    check_trainable,
    class_weights,
    fit_heads,
    folds_of,
    head_logits,
    out_of_fold,
    targets_of,
)
from ml.model import DualHeadClassifier
from ml.progress import Progress, Watch, unwatched
from ml.prototypes import Centres, centres_of
from ml.rehearsal import fit_prototypes, fit_scope, rehearse
from ml.scoring import Calibration
from ml.splitting import Splits, near_copies
from ml.taxonomy import LabelSpace
from ml.tokenizing import load_tokenizer
from ml.validation import ValidationRow, fit_temperatures, judge


@dataclass(frozen=True)
class FrozenSettings:
    """Hyperparameters of frozen training; `c` is the inverse of the L2 strength, as in scikit-learn;
    `layers` is how many of the encoder's last layers are pooled; `augment` the rows to which a rare
    subtype is filled up (0: none)."""

    c: float = 30.0
    layers: int = 4
    folds: int = 5
    class_weights: bool = False
    augment: int = 0
    seed: int = 42

    def __post_init__(self) -> None:
        for name, least in (("c", 1e-9), ("layers", 0), ("folds", 2), ("augment", 0)):
            if not getattr(self, name) >= least:
                raise DataError(f"{name} is {getattr(self, name)}; allowed: from {least:g}")


@dataclass(frozen=True)
class Trained:
    """A fitted model with what an artifact records about it; `test` are the rows it never saw."""

    model: DualHeadClassifier
    space: LabelSpace
    calibration: Calibration
    centres: Centres | None
    hyperparameters: dict
    splits: Splits = field(default_factory=Splits)
    validation: list[ValidationRow] = field(default_factory=list)
    notes: dict = field(default_factory=dict)


def train_frozen(
    splits: Splits,
    *,
    encoder: str,
    space: LabelSpace,
    settings: FrozenSettings = FrozenSettings(),  # noqa: B008 (frozen)
    watch: Watch = unwatched,
) -> Trained:
    """Fit both heads on the frozen encoder's vectors of the training and validation rows.

    Raises DataError for labels outside the space or data of one class.
    """
    real = [*splits.train, *splits.validation]
    made = augment_rare(real, settings.augment, seed=settings.seed)
    examples = [*real, *made]
    check_trainable(examples)
    targets = targets_of(examples, space)
    torch.manual_seed(settings.seed)
    source = resolve_encoder(encoder)
    model = DualHeadClassifier.from_encoder(source, space, layers=settings.layers)
    emails = [(e.department, e.subject, e.body) for e in examples]
    vectors = torch.from_numpy(embed_emails(model, load_tokenizer(encoder), emails, watch=watch))
    weights = class_weights(targets) if settings.class_weights else None
    genuine = np.arange(len(real))  # made rows follow their originals into no fold: they would tell
    phases = settings.folds + 2
    folds = folds_of(near_copies(real), settings.folds, settings.seed)
    logits = out_of_fold(
        vectors[genuine], targets.take(genuine), space, c=settings.c, folds=folds,
        weights=None if weights is None else weights[genuine],
        on_fold=lambda k: watch(Progress("fitting heads", k + 1, phases)),
    )  # fmt: skip
    calibration, centres = calibrate(vectors[genuine], logits, real, space, settings, folds)
    watch(Progress("fitting heads", settings.folds + 1, phases))
    heads = (model.type_head, model.subtype_head)
    fit_heads(heads, vectors, targets, settings.c, weights)
    watch(Progress("fitting heads", phases, phases))
    return Trained(
        model,
        space,
        calibration,
        centres,
        {"mode": "frozen", "encoder": encoder, **asdict(settings)},
        splits,
        judge(logits, real, space, calibration),
        {
            "rare_subtypes": rare_subtypes(splits.train),
            "augmented_rows": len(made),
            "train_accuracy": train_accuracy(head_logits(heads, vectors[genuine]), real, space, calibration),
        },
    )


def calibrate(
    vectors: torch.Tensor,
    logits: Logits,
    examples: Sequence[Example],
    space: LabelSpace,
    settings: FrozenSettings,
    folds: Folds,
) -> tuple[Calibration, Centres]:
    """Fit temperatures, scope and prototypes on the vectors of `examples`, rehearsing on `folds` of them.

    `logits` are of the last rows (or all), by heads that had not seen them.
    """
    targets = targets_of(examples, space)
    unseen = examples[-len(logits.types) :]
    calibration = fit_temperatures(logits, unseen, space)
    scenes = rehearse(vectors, targets, examples, space, c=settings.c, folds=folds, seed=settings.seed)
    calibration = replace(
        calibration,
        scope=fit_scope(scenes, logits, unseen, space),
        prototypes=fit_prototypes(scenes, calibration),
    )
    return calibration, centres_of(vectors.numpy(), targets.subtypes.numpy(), len(space.subtypes))


def train_accuracy(
    logits: Logits, examples: Sequence[Example], space: LabelSpace, calibration: Calibration
) -> dict[str, float]:
    """Accuracy of both answers on the rows the heads were fitted on: over 7 points above the test's means overfitting."""
    rows = judge(logits, examples, space, calibration)
    return {
        "type": round(float(np.mean([r.type == r.predicted_type for r in rows])), 4),
        "subtype": round(float(np.mean([r.subtype == r.predicted_subtype for r in rows])), 4),
    }
