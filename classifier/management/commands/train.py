"""`train --data FILE --name N [--frozen] [--resume] …`: see `ml.options`."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from classifier.models import TrainingRun
from classifier.registry.building import check_free, run_folder, train_version, training_defaults
from classifier.registry.runs import asked_for, begin, recorded
from classifier.retraining.formats import write
from classifier.retraining.rows import label_rows, latest_snapshot
from ml.data import Example, read_examples
from ml.progress import Bar, unwatched
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Train a model on a labelled file and register it as a candidate; the label space comes from the file."

    def add_options(self, parser: CommandParser) -> None:
        from ml.options import add_training_options

        add_training_options(parser, data=False)
        parser.add_argument("--name", default="", help="name of the new version")
        parser.add_argument("--run", type=int, metavar="ID", help="do a run that was asked for on the models page")

    def run(self, **options: Any) -> None:
        from ml.__main__ import lower_priority, summary

        if self._called_from_command_line:  # type: ignore[attr-defined]
            lower_priority()
        run = asked_for(options["run"]) if options["run"] else self._own(options)
        bar = Bar()
        with recorded(run, bar if self.progress(options) else unwatched) as watch:
            version = train_version(
                name=run.name,
                examples=_examples(run),
                options=training_defaults() | run.options,
                trained_by=run.user.username if run.user else "manage.py train",
                again=run.attempts > 1,
                watch=watch,
            )
            run.version = version
        bar.close()
        m = version.manifest
        self.stdout.write(
            f"{version.version}: trained on {m['training_size']} emails, a candidate; serves as {m['onnx']['precision']} "
            f"({m['onnx']['reason']})"
        )
        if version.metrics:
            self.stdout.write("\n".join(summary(version.metrics)))
        self.stdout.write(f"Next: manage.py models promote {version.version} --reason 'why it may serve'")

    def _own(self, options: dict[str, Any]) -> TrainingRun:
        """A run of this very process."""
        if not options["data"] or not options["name"]:
            raise DeskError("--data and --name are needed")
        check_free(options["name"])
        kept = {k: v for k, v in options.items() if k in training_defaults()}
        run = begin(name=options["name"], options=kept, filename=options["data"].name[:255])
        run.path = options["data"]  # type: ignore[attr-defined]
        return run


def _examples(run: TrainingRun) -> list[Example]:
    """The rows of the run's file, or the desk's own labels; kept beside the run unless they were uploaded."""
    path: Path | None = getattr(run, "path", None)
    labels = run_folder(run.name).with_name(f"{run.name}.jsonl")
    labels.parent.mkdir(parents=True, exist_ok=True)
    if path is not None:
        examples = read_examples(path)  # kept: a retraining begins with what the model in production was trained on
        labels.write_text(
            "".join(json.dumps(e.as_row(), ensure_ascii=False) + "\n" for e in examples), encoding="utf-8"
        )
        return examples
    if run.file:
        return read_examples(Path(run.file.path))
    if run.attempts < 2 or not labels.is_file():  # a later attempt goes on with the rows of the first
        part = labels.with_suffix(".part")
        with part.open("wb") as out:
            write("jsonl", label_rows(latest_snapshot()), out)
        part.replace(labels)
    return read_examples(labels)
