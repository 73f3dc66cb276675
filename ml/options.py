"""The options of training, evaluation and sweeps, shared by `python -m ml` and the desk's commands."""

from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path
from typing import Any

from ml.finetuning import SCHEDULES, FineTuneSettings
from ml.sweep import VARIABLES
from ml.training import FrozenSettings
from ml.workshop import Order


def add_training_options(parser: ArgumentParser, *, data: bool = True) -> None:
    """What a model is trained from and how; the defaults are the mission's. `data`: whether a file must be named."""
    parser.add_argument(
        "--data", type=Path, required=data, metavar="FILE", help="CSV or JSONL with labels, also gzipped"
    )
    parser.add_argument("--frozen", action="store_true", help="train the heads only: a minute on a CPU")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run (done by itself on the same data and settings)",
    )
    add_settings(parser)
    parser.add_argument("--c", type=float, default=FrozenSettings.c, help="frozen: inverse L2 strength (%(default)s)")
    parser.add_argument(
        "--layers", type=int, default=FrozenSettings.layers, help="frozen: last layers that are pooled (%(default)s)"
    )
    parser.add_argument(
        "--warm-heads", action="store_true", help="fine-tuning: start from heads fitted on the frozen encoder"
    )
    parser.add_argument(
        "--hold-out-department", action="append", default=[], metavar="D",
        help="measure besides how well D is served by examples alone, by training without it; may be repeated",
    )  # fmt: skip


def add_settings(parser: ArgumentParser) -> None:
    """Fine-tuning's hyperparameters and what both ways share."""
    d = FineTuneSettings()
    parser.add_argument("--learning-rate", type=float, default=d.learning_rate, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=d.epochs, help="at most (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=d.batch_size, help="(%(default)s)")
    parser.add_argument("--schedule", choices=SCHEDULES, default=d.schedule, help="of the learning rate (%(default)s)")
    parser.add_argument("--warmup-steps", type=int, default=d.warmup_steps, help="(%(default)s)")
    parser.add_argument("--weight-decay", type=float, default=d.weight_decay, help="(%(default)s)")
    parser.add_argument(
        "--eval-steps", type=int, default=d.eval_steps, help="at least; half an epoch of large data (%(default)s)"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=d.patience,
        help="evaluations without a better one before stopping (%(default)s)",
    )
    parser.add_argument("--class-weights", action="store_true", help="let rows of rare subtypes weigh more")
    parser.add_argument(
        "--augment",
        type=int,
        default=0,
        metavar="N",
        help="fill rare subtypes up to N training rows by synonyms and typing slips",
    )
    parser.add_argument("--validation", type=float, default=0.1, metavar="SHARE", help="of the rows (%(default)s)")
    parser.add_argument(
        "--test", type=float, default=0.1, metavar="SHARE", help="of the rows, never trained on (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=d.seed, help="(%(default)s)")


def add_sweep_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help="CSV or JSONL with labels, also gzipped"
    )
    parser.add_argument(
        "--vary", action="append", metavar="NAME[=A,B,…]",
        help=f"{', '.join(VARIABLES)}; without values the usual ones; may be repeated (default: learning_rate)",
    )  # fmt: skip
    parser.add_argument("--grid", action="store_true", help="every combination instead of one variable at a time")
    add_settings(parser)


def settings_from(options: dict[str, Any], kind: type) -> Any:
    """The settings dataclass filled from parsed options."""
    return kind(**{f.name: options[f.name] for f in fields(kind) if f.name in options})


def order_from(options: dict[str, Any], encoder: str) -> Order:
    """What the options of `add_training_options` ask for."""
    kind = FrozenSettings if options["frozen"] else FineTuneSettings
    return Order(
        encoder,
        settings_from(options, kind),
        options["validation"],
        options["test"],
        tuple(options["hold_out_department"]),
    )
