"""`python -m ml train|evaluate|sweep|export`: the model workshop by itself, without the desk.

Exit 0: done. 1: refused, with the reason. 2: misused.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from ml.encoder import MINILM
from ml.errors import ArtifactError, MLError
from ml.options import add_sweep_options, add_training_options, order_from, settings_from


def main(arguments: list[str] | None = None) -> int:
    options = vars(_parser().parse_args(arguments))
    lower_priority()
    try:
        options.pop("run")(options)
    except MLError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def lower_priority() -> None:
    """Let everything else on the machine go first."""
    os.nice(10 - min(10, os.nice(0)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml", description="Train, measure and export email classifiers.")
    commands = parser.add_subparsers(required=True, metavar="train|evaluate|sweep|export")
    train = commands.add_parser("train", help="train a model on a labelled file")
    add_training_options(train)
    train.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="the model's folder; must not exist"
    )
    train.add_argument("--encoder", default=MINILM, help="hub name, folder, or %(default)s")
    train.set_defaults(run=_train)
    evaluate = commands.add_parser("evaluate", help="measure a model on labelled rows")
    evaluate.add_argument("model", type=Path, metavar="FOLDER")
    evaluate.add_argument("--data", type=Path, metavar="FILE", help="default: the test rows that came with the model")
    evaluate.add_argument("--output", type=Path, metavar="FILE", help="write the whole report as JSON")
    evaluate.add_argument("--runtime", choices=["onnx", "torch"], default="onnx")
    evaluate.set_defaults(run=_evaluate)
    sweep = commands.add_parser("sweep", help="try hyperparameters; goes on where it was interrupted")
    add_sweep_options(sweep)
    sweep.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="for trials.json, sweep.md and sweep.png"
    )
    sweep.add_argument("--encoder", default=MINILM, help="hub name, folder, or %(default)s")
    sweep.set_defaults(run=_sweep)
    export = commands.add_parser("export", help="write a model's ONNX form again, in another precision")
    export.add_argument("model", type=Path, metavar="FOLDER")
    export.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the new model's folder")
    export.add_argument(
        "--precision",
        choices=["auto", "int8", "fp32"],
        default="auto",
        help="auto keeps int8 only where it agrees (%(default)s)",
    )
    export.set_defaults(run=_export)
    return parser


def _train(options: dict[str, Any]) -> None:
    from ml.artifact import save_artifact
    from ml.data import read_examples
    from ml.progress import Bar
    from ml.workshop import train

    output: Path = options["output"]
    if output.exists():
        raise ArtifactError(f"{output} exists already; choose another --output")
    bar = Bar()
    trained = train(
        read_examples(options["data"]),
        order_from(options, options["encoder"]),
        output=output.with_name(f"{output.name}.run"),
        watch=bar,
    )
    bar.close()
    artifact = save_artifact(trained, output, version=output.name, trained_by="python -m ml train")
    m = artifact.manifest
    _say(f"{output}: trained on {m['training_size']} rows, {m['onnx']['precision']} ({m['onnx']['reason']})")
    rare = m["notes"]["rare_subtypes"]
    if rare:
        _say(
            f"{len(rare)} subtypes have fewer than 50 training rows, the rarest {next(iter(rare))} with {next(iter(rare.values()))}"
        )
    for department, f in m["notes"].get("held_out_departments", {}).items():
        _say(f"held out {department}: type {f['type_accuracy']:.1%}, subtype {f['subtype_accuracy']:.1%}, n = {f['n']}")


def _evaluate(options: dict[str, Any]) -> None:
    from ml.artifact import load_test_rows
    from ml.data import read_examples
    from ml.evaluation import full_report
    from ml.predictor import Predictor
    from ml.progress import Bar

    predictor, bar = Predictor(options["model"], options["runtime"]), Bar()
    rows = read_examples(options["data"]) if options["data"] else load_test_rows(predictor.artifact)
    figures = full_report(predictor, rows, watch=bar)
    bar.close()
    if options["output"]:
        options["output"].write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    _say("\n".join(summary(figures)))


def summary(figures: dict) -> list[str]:
    """The report in a few lines of text."""
    lines = [f"{figures['model']} on {figures['n']} rows it was not trained on"]
    for head in ("type", "subtype"):
        f = figures[head]
        low, high = f["accuracy_interval"]
        perfect = f["ece_if_perfect"]
        lines += [
            f"  {head:8} {f['accuracy']:.1%} right ({low:.1%} to {high:.1%}), macro-F1 {f['macro_f1']:.3f}",
            f"  {'':8} ECE {f['ece']:.4f} (perfectly calibrated: {perfect['mean']:.4f} on average, "
            f"{perfect['percentile_95']:.4f} in 95 of 100), log loss {f['log_loss']:.4f}",
        ]
    lines.append(
        f"  under the threshold {figures['share_under_threshold']:.1%}, nothing fits {figures['share_out_of_scope']:.1%}; "
        f"{figures['latency_ms']['p50']} ms median, {figures['latency_ms']['p95']} ms p95"
    )
    if figures["gap"]:
        lines.append(
            f"  {figures['gap']['difference']['subtype']:.1%} better on its training rows: {figures['gap']['verdict']}"
        )
    if figures["unknown_labels"]:
        lines.append(f"  labels it was not trained on: {', '.join(figures['unknown_labels'])}")
    for name, d in figures["per_department"].items():
        lines.append(f"  {name:20} type {d['type_accuracy']:.1%}  subtype {d['subtype_accuracy']:.1%}  n = {d['n']}")
    return lines


def _sweep(options: dict[str, Any]) -> None:
    from ml.data import read_examples
    from ml.finetuning import FineTuneSettings
    from ml.holdout import space_of
    from ml.progress import Bar
    from ml.splitting import split_three
    from ml.sweep import TABLE, parse_variable, plan, sweep

    variables = dict(parse_variable(text) for text in options["vary"] or ["learning_rate"])
    base = settings_from(options, FineTuneSettings)
    examples, bar = read_examples(options["data"]), Bar()
    splits = split_three(examples, validation=options["validation"], test=options["test"], seed=base.seed)
    trials = plan(variables, base, grid=options["grid"])
    sweep(splits, trials, encoder=options["encoder"], space=space_of(examples), output=options["output"], watch=bar)
    bar.close()
    _say((options["output"] / TABLE).read_text())


def _export(options: dict[str, Any]) -> None:
    from ml.rewrite import export_again

    artifact = export_again(options["model"], options["output"], precision=options["precision"])
    _say(f"{options['output']}: {artifact.manifest['onnx']['precision']} ({artifact.manifest['onnx']['reason']})")


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    sys.exit(main())
