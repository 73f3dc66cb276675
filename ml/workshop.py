"""One way to train from a file, for the command line of `ml` and for the desk alike: read, split, train, hold out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from ml.data import Example
from ml.finetuning import FineTuneSettings, fine_tune
from ml.holdout import hold_out, space_of, without
from ml.progress import Progress, Watch, unwatched
from ml.splitting import Splits, split_three
from ml.taxonomy import LabelSpace
from ml.training import FrozenSettings, Trained, train_frozen


@dataclass(frozen=True)
class Order:
    """What to train: `settings` choose between frozen heads and fine-tuning."""

    encoder: str
    settings: FrozenSettings | FineTuneSettings = field(default_factory=FrozenSettings)
    validation: float = 0.1
    test: float = 0.1
    held_out: tuple[str, ...] = ()


def train(examples: Sequence[Example], order: Order, *, output: Path, watch: Watch = unwatched) -> Trained:
    """Train on labelled rows; the label space is what they span. Held-out departments are measured besides.

    `output` is the run's folder, for checkpoints and the curve.
    """
    splits = split_three(examples, validation=order.validation, test=order.test, seed=order.settings.seed)
    for department in order.held_out:
        without(splits, [department])  # refused now, not after hours
    trained = _train(splits, space_of(examples), order, output, watch)
    if order.held_out:
        figures = {}
        for i, department in enumerate(order.held_out):
            watch(Progress("holding out", i, len(order.held_out)))
            run = partial(_without, department, order=order, output=output)
            found = hold_out(splits, department, run)
            figures[department] = asdict(found)
        watch(Progress("holding out", len(order.held_out), len(order.held_out)))
        trained = replace(trained, notes=trained.notes | {"held_out_departments": figures})
    return trained


def _without(department: str, splits: Splits, space: LabelSpace, *, order: Order, output: Path) -> Trained:
    return _train(splits, space, order, output / f"without-{department}", unwatched)


def _train(splits: Splits, space: LabelSpace, order: Order, output: Path, watch: Watch) -> Trained:
    if isinstance(order.settings, FineTuneSettings):
        return fine_tune(
            splits, encoder=order.encoder, space=space, output=output, settings=order.settings, watch=watch
        )
    return train_frozen(splits, encoder=order.encoder, space=space, settings=order.settings, watch=watch)
