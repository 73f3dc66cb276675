"""`sweep --data FILE [--vary NAME=A,B] [--grid]`: see `ml.sweep`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from classifier.models import TrainingRun
from classifier.registry.building import run_folder
from classifier.registry.runs import begin, recorded
from ml.data import read_examples
from ml.progress import Bar, unwatched
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = (
        "Try hyperparameters on a labelled file; goes on where it was interrupted. The table is on the models page too."
    )
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        from ml.options import add_sweep_options

        add_sweep_options(parser)
        parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: var/training/sweep-FILE")

    def run(self, **options: Any) -> None:
        from ml.__main__ import lower_priority
        from ml.finetuning import FineTuneSettings
        from ml.holdout import space_of
        from ml.options import settings_from
        from ml.splitting import split_three
        from ml.sweep import TABLE, parse_variable, plan, sweep

        if self._called_from_command_line:  # type: ignore[attr-defined]
            lower_priority()
        variables = dict(parse_variable(text) for text in options["vary"] or ["learning_rate"])
        base = settings_from(options, FineTuneSettings)
        examples = read_examples(options["data"])
        splits = split_three(examples, validation=options["validation"], test=options["test"], seed=base.seed)
        output = options["output"] or run_folder(f"sweep-{options['data'].name}")
        run = begin(
            kind=TrainingRun.Kind.SWEEP, name=output.name[:80], filename=options["data"].name[:255],
            options={"vary": options["vary"] or ["learning_rate"], "grid": options["grid"]},
        )  # fmt: skip
        bar = Bar()
        with recorded(run, bar if self.progress(options) else unwatched) as watch:
            rows = sweep(
                splits, plan(variables, base, grid=options["grid"]), encoder=settings.ENCODER,
                space=space_of(examples), output=output, watch=watch,
            )  # fmt: skip
            run.result = {"rows": rows, "varied": list(variables)}
        bar.close()
        if options["json"]:
            self.print_json(rows)
        else:
            self.stdout.write((output / TABLE).read_text() + f"\nPicture: {output / 'sweep.png'}")
