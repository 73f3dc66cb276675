"""Tries hyperparameters: one variable at a time, or every combination; with a table and a picture at the end.

Each trial's result is kept in `trials.json` as soon as it is there, so that a sweep that was interrupted goes
on with the next trial, and the trial it was in with its last checkpoint. Validation rows decide; test rows are not looked at.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ml.artifact import data_hash
from ml.errors import DataError, Diverged
from ml.finetuning import SCHEDULES, FineTuneSettings, fine_tune
from ml.progress import Progress, Watch, unwatched
from ml.splitting import Splits
from ml.taxonomy import LabelSpace
from ml.training import Trained

VARIABLES: dict[str, Callable[[str], object]] = {
    "learning_rate": float,
    "epochs": int,
    "batch_size": int,
    "schedule": str,
    "weight_decay": float,
}
MISSION: dict[str, tuple] = {
    "learning_rate": (1e-5, 2e-5, 3e-5, 5e-5),
    "epochs": (3, 5, 10, 15),
    "batch_size": (4, 8, 16, 32),
    "schedule": SCHEDULES,
    "weight_decay": (0.0, 0.001, 0.01, 0.1),
}
TRIALS, TABLE, PICTURE = "trials.json", "sweep.md", "sweep.png"


def parse_variable(text: str) -> tuple[str, tuple]:
    """`learning_rate=1e-5,2e-5` → the name and its values; a name alone takes the mission's values.

    Raises DataError for an unknown name or a value that is not of its kind.
    """
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in VARIABLES:
        raise DataError(f"{name!r} cannot be swept; allowed: {', '.join(VARIABLES)}")
    if not values:
        return name, MISSION[name]
    try:
        return name, tuple(VARIABLES[name](v.strip()) for v in values.split(","))
    except ValueError:
        raise DataError(f"{name} is {values!r}; allowed: a list such as {','.join(map(str, MISSION[name]))}") from None


def plan(variables: dict[str, tuple], base: FineTuneSettings, *, grid: bool = False) -> list[FineTuneSettings]:
    """Every trial once, the base settings first where they belong to the plan."""
    if grid:
        found = [
            replace(base, **dict(zip(variables, values, strict=True)))
            for values in itertools.product(*variables.values())
        ]
    else:
        found = [base] + [replace(base, **{name: value}) for name, values in variables.items() for value in values]
    return list(dict.fromkeys(found))


def sweep(
    splits: Splits,
    trials: Sequence[FineTuneSettings],
    *,
    encoder: str,
    space: LabelSpace,
    output: Path,
    watch: Watch = unwatched,
    train: Callable[..., Trained] = fine_tune,
) -> list[dict]:
    """Run the trials that have no result yet; returns all rows, best first.

    Raises DataError when `output` holds a sweep over other data or with another encoder.
    """
    output.mkdir(parents=True, exist_ok=True)
    data = data_hash([*splits.train, *splits.validation])
    rows = _earlier(output / TRIALS, data, encoder)
    done = {json.dumps(row["settings"], sort_keys=True) for row in rows}
    for number, settings in enumerate(trials):
        watch(Progress("trials", number, len(trials)))
        if json.dumps(asdict(settings), sort_keys=True) in done:
            continue
        folder = output / "trial"
        try:
            result = _result(train(splits, encoder=encoder, space=space, output=folder, settings=settings, watch=watch))
        except Diverged as error:  # a finding, not a fault: the other trials go on
            result = {"subtype_accuracy": None, "type_accuracy": None, "n": len(splits.validation), "error": str(error)}
        rows.append({"settings": asdict(settings), **result})
        part = output / f"{TRIALS}.part"
        part.write_text(json.dumps({"data_sha256": data, "encoder": encoder, "rows": rows}, indent=1) + "\n")
        part.replace(output / TRIALS)
        shutil.rmtree(folder, ignore_errors=True)
    watch(Progress("trials", len(trials), len(trials)))
    rows.sort(key=lambda row: -(row["subtype_accuracy"] or 0.0))
    varied = [name for name in VARIABLES if len({row["settings"][name] for row in rows}) > 1]
    (output / TABLE).write_text(table(rows, varied))
    draw(rows, varied, output / PICTURE)
    return rows


def _earlier(file: Path, data: str, encoder: str) -> list[dict]:
    if not file.is_file():
        return []
    earlier = json.loads(file.read_text())
    if (earlier["data_sha256"], earlier["encoder"]) != (data, encoder):
        raise DataError(f"{file} is of a sweep over other data or another encoder; choose another output folder")
    return earlier["rows"]


def _result(trained: Trained) -> dict:
    rows, history = trained.validation, trained.notes.get("history", [])
    return {
        "subtype_accuracy": round(sum(r.subtype == r.predicted_subtype for r in rows) / len(rows), 4),
        "type_accuracy": round(sum(r.type == r.predicted_type for r in rows) / len(rows), 4),
        "n": len(rows),
        "steps": history[-1]["step"] if history else 0,
    }


def table(rows: Sequence[dict], varied: Sequence[str]) -> str:
    """The results as a Markdown table, best first."""
    head = [*varied, "subtype", "type", "steps"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [f"{row['settings'][name]}" for name in varied]
        if row["subtype_accuracy"] is None:
            cells += ["diverged", "", ""]
        else:
            cells += [f"{row['subtype_accuracy']:.1%}", f"{row['type_accuracy']:.1%}", f"{row['steps']}"]
        lines.append("| " + " | ".join(cells) + " |")
    n = rows[0]["n"] if rows else 0
    return "\n".join(lines) + f"\n\nAccuracy on {n} validation rows.\n"


def draw(rows: Sequence[dict], varied: Sequence[str], file: Path) -> None:
    """One panel a variable: each trial a dot, the best of each value joined by a line."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["subtype_accuracy"] is not None]
    figure = Figure(figsize=(3.2 * max(len(varied), 1), 3.2), layout="constrained")
    for axis, name in zip(figure.subplots(1, max(len(varied), 1), squeeze=False)[0], varied or ["epochs"], strict=True):
        values = sorted({row["settings"][name] for row in rows}, key=lambda v: (isinstance(v, str), v))
        at = {value: i for i, value in enumerate(values)}
        axis.plot(
            [at[row["settings"][name]] for row in rows], [row["subtype_accuracy"] for row in rows], "o", alpha=0.6
        )
        best = [max(row["subtype_accuracy"] for row in rows if row["settings"][name] == v) for v in values]
        axis.plot(range(len(values)), best)
        axis.set_xticks(range(len(values)), [str(v) for v in values])
        axis.set_xlabel(name.replace("_", " "))
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("subtype accuracy, validation")
    figure.savefig(file, dpi=120)
