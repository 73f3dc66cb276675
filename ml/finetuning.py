"""Fine-tunes encoder and heads together, for DeBERTa-v3 and BERT-like encoders alike.

transformers' Trainer with the mission's defaults. The best checkpoint by subtype accuracy on the
validation rows is kept; temperatures are fitted on them too. A run that was interrupted goes on
from its last whole checkpoint when the same data and settings are given again.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments

from ml.augmentation import augment_rare, rare_subtypes
from ml.checkpoints import last_checkpoint, prepare_run, writing
from ml.data import Example
from ml.embeddings import embed_emails, pad
from ml.encoder import resolve_encoder
from ml.errors import DataError, TrainingError
from ml.heads import Logits, Targets, check_trainable, class_weights, fit_heads, folds_of, head_logits, targets_of
from ml.history import Teller
from ml.model import MASKED, DualHeadClassifier
from ml.progress import Watch, unwatched
from ml.splitting import Splits, near_copies
from ml.taxonomy import LabelSpace
from ml.tokenizing import encode_email, load_tokenizer
from ml.training import FrozenSettings, Trained, calibrate, train_accuracy
from ml.validation import judge

logger = logging.getLogger(__name__)
SCHEDULES = ("constant", "linear", "cosine", "polynomial")


@dataclass(frozen=True)
class FineTuneSettings:
    """The mission's hyperparameters.

    `eval_steps` is at least so many and at most half an epoch apart from it, whichever is more;
    `warm_heads` fits the heads on the frozen encoder first; `augment` as in frozen training.
    """

    learning_rate: float = 2e-5
    epochs: int = 10
    batch_size: int = 8
    schedule: str = "cosine"
    warmup_steps: int = 50
    weight_decay: float = 0.01
    eval_steps: int = 20
    patience: int = 3
    warm_heads: bool = False
    class_weights: bool = False
    augment: int = 0
    seed: int = 42

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise DataError(f"schedule is {self.schedule!r}; allowed: {', '.join(SCHEDULES)}")
        for name in ("learning_rate", "epochs", "batch_size", "eval_steps", "patience"):
            if getattr(self, name) <= 0:
                raise DataError(f"{name} is {getattr(self, name)}; allowed: above 0")


class _Rows(torch.utils.data.Dataset):
    def __init__(self, tokenizer: Tokenizer, examples: Sequence[Example], targets: Targets, weights: torch.Tensor):
        self.ids = [np.array(encode_email(tokenizer, e.department, e.subject, e.body), np.int32) for e in examples]
        self._targets, self._weights = targets, weights

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> dict:
        t = self._targets
        return {
            "ids": self.ids[i],
            "type": t.types[i],
            "subtype": t.subtypes[i],
            "mask": t.mask[i],
            "weight": self._weights[i],
        }


def _collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    ids, mask = pad([r["ids"] for r in rows])
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "type_labels": torch.stack([r["type"] for r in rows]),
        "subtype_labels": torch.stack([r["subtype"] for r in rows]),
        "subtype_mask": torch.stack([r["mask"] for r in rows]),
        "weights": torch.stack([r["weight"] for r in rows]),
    }


class _DualHeadTrainer(Trainer):
    """The model computes its own loss; evaluation compares masked subtype logits with labels."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        out = model(**inputs)
        return (out.loss, out) if return_outputs else out.loss

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        inputs = self._prepare_inputs(inputs)
        with torch.inference_mode(), self.compute_loss_context_manager():
            out = model(**inputs)
        masked = out.subtype_logits.masked_fill(~inputs["subtype_mask"], MASKED)
        return out.loss, (out.type_logits.float(), masked.float()), (inputs["type_labels"], inputs["subtype_labels"])


def fine_tune(
    splits: Splits,
    *,
    encoder: str,
    space: LabelSpace,
    output: Path,
    settings: FineTuneSettings = FineTuneSettings(),  # noqa: B008 (frozen)
    watch: Watch = unwatched,
) -> Trained:
    """Train everything on the training rows; `output` keeps the checkpoints and the curve.

    Raises DataError for unusable data, TrainingError when the run cannot go on.
    """
    if not splits.validation:
        raise DataError("there are no validation rows; fine-tuning needs some for early stopping")
    made = augment_rare(splits.train, settings.augment, seed=settings.seed)
    examples = [*splits.train, *made]
    check_trainable(examples)
    targets, held = targets_of(examples, space), targets_of(splits.validation, space)
    prepare_run(output, {"encoder": encoder, **asdict(settings)}, [*examples, *splits.validation])
    source = resolve_encoder(encoder)
    tokenizer = load_tokenizer(encoder)
    weights = class_weights(targets) if settings.class_weights else torch.ones(len(examples))
    torch.manual_seed(settings.seed)
    model = DualHeadClassifier.from_encoder(source, space, layers=1 if settings.warm_heads else 0)
    if settings.warm_heads and last_checkpoint(output) is None:
        vectors = embed_emails(model, tokenizer, [(e.department, e.subject, e.body) for e in examples], watch=watch)
        fit_heads((model.type_head, model.subtype_head), torch.from_numpy(vectors), targets, FrozenSettings.c)
    teller = Teller(watch, output)
    data = _Rows(tokenizer, examples, targets, weights)
    validation = _Rows(tokenizer, splits.validation, held, torch.ones(len(splits.validation)))
    _train(model, data, validation, output, settings, teller)
    return _finish(
        model,
        tokenizer,
        splits,
        space,
        teller,
        watch,
        made,
        {"mode": "fine-tuned", "encoder": encoder, **asdict(settings)},
    )


def _train(
    model: DualHeadClassifier, data: _Rows, validation: _Rows, output: Path, settings: FineTuneSettings, teller: Teller
) -> None:
    """Run the Trainer; a GPU out of memory gets half the batch and twice the accumulation, said in the log."""
    batch, start = settings.batch_size, {k: v.clone() for k, v in model.state_dict().items()}
    while True:
        trainer = _DualHeadTrainer(
            model=model,
            args=_arguments(output, settings, batch, len(data)),
            train_dataset=data,
            eval_dataset=validation,
            data_collator=_collate,
            compute_metrics=_accuracy,
            callbacks=[EarlyStoppingCallback(settings.patience), teller],
        )
        trainer.remove_callback(PrinterCallback)
        checkpoint = last_checkpoint(output)
        try:
            with writing(output):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # mixed precision was for training only
            return
        except torch.OutOfMemoryError:
            if batch == 1:
                raise TrainingError(
                    "memory ran out at batch size 1; a smaller encoder or a larger GPU is needed"
                ) from None
            batch //= 2
            torch.cuda.empty_cache()
            logger.warning("out of memory: going on with batch size %s, accumulated to %s", batch, settings.batch_size)
            if checkpoint is None:
                model.load_state_dict(start)


def _finish(model, tokenizer, splits, space, teller, watch, made, hyperparameters) -> Trained:
    """Calibrate on the validation rows; rehearse new subtypes on the vectors of all rows."""
    rows = [*splits.train, *splits.validation]
    vectors = torch.from_numpy(
        embed_emails(model, tokenizer, [(e.department, e.subject, e.body) for e in rows], watch=watch)
    )
    model.to("cpu").eval()
    logits = head_logits((model.type_head, model.subtype_head), vectors)
    cut = len(splits.train)
    unseen = Logits(logits.types[cut:], logits.subtypes[cut:])
    frozen = FrozenSettings(seed=hyperparameters["seed"])
    folds = folds_of(near_copies(rows), frozen.folds, frozen.seed)
    calibration, centres = calibrate(vectors, unseen, rows, space, frozen, folds)
    notes = {
        "rare_subtypes": rare_subtypes(splits.train),
        "augmented_rows": len(made),
        "train_accuracy": train_accuracy(
            Logits(logits.types[:cut], logits.subtypes[:cut]), splits.train, space, calibration
        ),
        "history": teller.history,
    }
    validation = judge(unseen, splits.validation, space, calibration)
    return Trained(model, space, calibration, centres, hyperparameters, splits, validation, notes)


def _accuracy(prediction: Any) -> dict[str, float]:
    types, subtypes = prediction.predictions
    type_labels, subtype_labels = prediction.label_ids
    return {
        "type_accuracy": float((types.argmax(-1) == type_labels).mean()),
        "subtype_accuracy": float((subtypes.argmax(-1) == subtype_labels).mean()),
    }


def eval_steps(settings: FineTuneSettings, rows: int) -> int:
    """Steps between evaluations: the setting, or half an epoch of a large data set."""
    return max(settings.eval_steps, -(-rows // settings.batch_size) // 2)


def _arguments(output: Path, s: FineTuneSettings, batch: int, rows: int) -> TrainingArguments:
    steps = eval_steps(s, rows)
    arguments = TrainingArguments(
        output_dir=str(output),
        learning_rate=s.learning_rate,
        num_train_epochs=s.epochs,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=max(1, s.batch_size // batch),
        per_device_eval_batch_size=32,
        lr_scheduler_type="constant_with_warmup" if s.schedule == "constant" else s.schedule,
        warmup_steps=s.warmup_steps,
        weight_decay=s.weight_decay,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=steps,
        save_steps=steps,
        logging_steps=steps,
        logging_nan_inf_filter=False,
        save_total_limit=3,
        load_best_model_at_end=True,
        metric_for_best_model="subtype_accuracy",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        bf16=_bf16(),
        use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="random",
        seed=s.seed,
        report_to=[],
        remove_unused_columns=False,
        label_names=["type_labels", "subtype_labels"],
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs in one process would need outputs that can be gathered
    return arguments


def _bf16() -> bool:
    """Mixed precision where the hardware has it: a GPU, or a processor with bf16 instructions."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
