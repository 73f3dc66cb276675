"""`retrain --reason R`."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.registry.building import training_defaults
from classifier.registry.runs import asked_for, recorded, take
from classifier.retraining.pipeline import ask_for_retraining, work
from ml.progress import Bar, unwatched
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import Conflict


class Command(DeskCommand):
    help = "Train on all labels and let the new model serve if it is better on rows that neither has seen."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="why; kept with the retraining")
        parser.add_argument("--run", type=int, metavar="ID", help="do a retraining that was asked for on its page")

    def run(self, **options: Any) -> None:
        from ml.__main__ import lower_priority

        if self._called_from_command_line:  # type: ignore[attr-defined]
            lower_priority()
        run = asked_for(options["run"]) if options["run"] else self._own(options["reason"])
        bar = Bar()
        with recorded(run, bar if self.progress(options) else unwatched) as watch:
            retraining = work(run.retraining, options=training_defaults() | run.options, watch=watch)
        bar.close()
        data = retraining.data_set
        self.stdout.write(f"{run.name}: {data.train:,} rows trained on, {data.test:,} held out, data set {data}")
        self.stdout.write(f"{retraining.get_decision_display()}. {retraining.sentence}")

    def _own(self, reason: str):
        run = ask_for_retraining(reason=reason, start=False).run
        if not take(run):
            raise Conflict(f"Another training is going; {run.name} waits for it and then starts by itself.")
        return run
