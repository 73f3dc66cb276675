"""Fine-tunes encoder and heads together, for DeBERTa-v3 and BERT-like encoders alike.

Uses transformers' Trainer with the mission's defaults; the best checkpoint by subtype
accuracy on a validation split is kept, and temperatures are fitted on that split.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from tokenizers import Tokenizer
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

from ml.artifact import tokenizer_file
from ml.data import Example
from ml.embeddings import pad
from ml.encoder import resolve_encoder
from ml.model import MASKED, DualHeadClassifier
from ml.taxonomy import LabelSpace
from ml.tokenizing import encode_email, load_tokenizer
from ml.training import Targets, Trained, calibrate, targets_of


@dataclass(frozen=True)
class FineTuneSettings:
    """The mission's hyperparameters."""

    learning_rate: float = 2e-5
    epochs: int = 10
    batch_size: int = 8
    warmup_steps: int = 50
    weight_decay: float = 0.01
    eval_steps: int = 20
    patience: int = 3
    validation: float = 0.1
    seed: int = 42


class _Rows(torch.utils.data.Dataset):
    def __init__(self, tokenizer: Tokenizer, examples: Sequence[Example], targets: Targets):
        self._ids = [encode_email(tokenizer, e.department, e.subject, e.body) for e in examples]
        self._targets = targets

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, i: int) -> dict:
        t = self._targets
        return {"ids": self._ids[i], "type": t.types[i], "subtype": t.subtypes[i], "mask": t.mask[i]}


def _collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    ids, mask = pad([r["ids"] for r in rows])
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "type_labels": torch.stack([r["type"] for r in rows]),
        "subtype_labels": torch.stack([r["subtype"] for r in rows]),
        "subtype_mask": torch.stack([r["mask"] for r in rows]),
    }


class _DualHeadTrainer(Trainer):
    """The model computes its own loss; evaluation compares masked subtype logits with labels."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        out = model(**inputs)
        return (out.loss, out) if return_outputs else out.loss

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        inputs = self._prepare_inputs(inputs)
        with torch.inference_mode():
            out = model(**inputs)
        masked = out.subtype_logits.masked_fill(~inputs["subtype_mask"], MASKED)
        return out.loss, (out.type_logits, masked), (inputs["type_labels"], inputs["subtype_labels"])


def fine_tune(
    examples: Sequence[Example],
    *,
    encoder: str,
    space: LabelSpace,
    output: Path,
    settings: FineTuneSettings = FineTuneSettings(),  # noqa: B008 (frozen)
) -> Trained:
    """Train everything on `examples`, of which a share is held back for validation."""
    targets = targets_of(examples, space)
    source = resolve_encoder(encoder)
    tokenizer = load_tokenizer(tokenizer_file(encoder).parent)
    fit, held = _split(examples, targets, settings)
    torch.manual_seed(settings.seed)
    model = DualHeadClassifier.from_encoder(source, space)
    data = {
        name: _Rows(tokenizer, [examples[i] for i in rows], targets.take(rows))
        for name, rows in (("fit", fit), ("held", held))
    }
    trainer = _DualHeadTrainer(
        model=model,
        args=_arguments(output, settings),
        train_dataset=data["fit"],
        eval_dataset=data["held"],
        data_collator=_collate,
        compute_metrics=_accuracy,
        callbacks=[EarlyStoppingCallback(settings.patience)],
    )
    trainer.train()
    logits: Any = trainer.predict(data["held"]).predictions
    calibration = calibrate(logits[0], logits[1], [examples[i] for i in held], space)
    model.to("cpu").eval()
    return Trained(model, space, calibration, {"mode": "fine-tuned", "encoder": encoder, **asdict(settings)})


def _split(examples: Sequence[Example], targets: Targets, settings: FineTuneSettings) -> tuple[np.ndarray, np.ndarray]:
    """Stratified by subtype where every subtype has enough rows for that, else at random."""
    labels = targets.subtypes.numpy()
    classes, counts = np.unique(labels, return_counts=True)
    enough = counts.min() >= 2 and len(examples) * settings.validation >= len(classes)
    return train_test_split(
        np.arange(len(examples)),
        test_size=settings.validation,
        random_state=settings.seed,
        stratify=labels if enough else None,
    )


def _accuracy(prediction: Any) -> dict[str, float]:
    types, subtypes = prediction.predictions
    type_labels, subtype_labels = prediction.label_ids
    return {
        "type_accuracy": float((types.argmax(-1) == type_labels).mean()),
        "subtype_accuracy": float((subtypes.argmax(-1) == subtype_labels).mean()),
    }


def _arguments(output: Path, s: FineTuneSettings) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(output),
        learning_rate=s.learning_rate,
        num_train_epochs=s.epochs,
        per_device_train_batch_size=s.batch_size,
        per_device_eval_batch_size=32,
        lr_scheduler_type="cosine",
        warmup_steps=s.warmup_steps,
        weight_decay=s.weight_decay,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=s.eval_steps,
        save_steps=s.eval_steps,
        logging_steps=s.eval_steps,
        save_total_limit=3,
        load_best_model_at_end=True,
        metric_for_best_model="subtype_accuracy",
        greater_is_better=True,
        bf16=torch.cuda.is_available(),
        seed=s.seed,
        report_to=[],
        remove_unused_columns=False,
        label_names=["type_labels", "subtype_labels"],
        disable_tqdm=False,
    )
