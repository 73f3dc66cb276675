"""The course of a fine-tuning run: told while it lasts, kept as rows, drawn as a picture."""

import json
import math
from pathlib import Path

from transformers import TrainerCallback

from ml.errors import Diverged
from ml.progress import Progress, Watch

HISTORY, CURVE = "history.json", "curve.png"
KEEP = {
    "loss": "loss",
    "eval_loss": "validation_loss",
    "eval_subtype_accuracy": "subtype_accuracy",
    "eval_type_accuracy": "type_accuracy",
    "learning_rate": "learning_rate",
}


class Teller(TrainerCallback):
    """Tells each step to a watcher and keeps a row {step, epoch, loss, …} for each evaluation."""

    def __init__(self, watch: Watch, folder: Path):
        self._watch, self._folder = watch, folder
        self.history: list[dict] = []

    def on_train_begin(self, args, state, control, **kwargs):
        """After an interruption the Trainer's state brings the earlier rows along."""
        self.history = []
        for entry in state.log_history:
            self._add(entry)

    def on_step_end(self, args, state, control, **kwargs):
        self._watch(Progress("training", state.global_step, state.max_steps))

    def on_log(self, args, state, control, logs=None, **kwargs):
        entry = {"step": state.global_step, "epoch": state.epoch, **(logs or {})}
        if not math.isfinite(entry.get("loss", 0.0)):
            raise Diverged(
                f"the loss became {entry['loss']} at step {state.global_step}; "
                f"a lower learning rate than {args.learning_rate:g} may help"
            )
        self._add(entry)
        if any(key in entry for key in KEEP):
            figures = {k: v for k, v in self.history[-1].items() if k not in ("step", "epoch")}
            self._watch(
                Progress(
                    "training", state.global_step, state.max_steps, {"epoch": round(state.epoch or 0, 2), **figures}
                )
            )
            (self._folder / HISTORY).write_text(json.dumps(self.history))

    def on_train_end(self, args, state, control, **kwargs):
        draw_curve(self.history, self._folder / CURVE)

    def _add(self, entry: dict) -> None:
        row = {name: round(entry[key], 7) for key, name in KEEP.items() if key in entry}
        if not row:
            return
        if not self.history or self.history[-1]["step"] != entry["step"]:
            self.history.append({"step": entry["step"], "epoch": round(entry.get("epoch") or 0, 3)})
        self.history[-1].update(row)


def draw_curve(history: list[dict], file: Path) -> None:
    """Loss and validation accuracy by step, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for axis, names in ((loss, ("loss", "validation_loss")), (accuracy, ("type_accuracy", "subtype_accuracy"))):
        for name in names:
            rows = [row for row in history if name in row]
            axis.plot([r["step"] for r in rows], [r[name] for r in rows], marker=".", label=name.replace("_", " "))
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if history:
            axis.legend()
    accuracy.set_title("on the validation rows")
    figure.savefig(file, dpi=120)
