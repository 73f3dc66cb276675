"""`evaluate [MODEL] [--data FILE]`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from classifier.registry.queries import find_version, folder_of
from classifier.registry.services import OWN_TEST_SPLIT, record_evaluation
from classifier.registry.serving import production_version
from ml.artifact import load_test_rows
from ml.data import load_corpus, read_examples
from ml.progress import Bar, unwatched
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Measure a model (default: production) on labelled emails (default: its own test split); the report is kept."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("model", nargs="?", help="version; default: production")
        parser.add_argument("--data", type=Path, metavar="FILE", help="CSV or JSONL with labels")

    def run(self, **options: Any) -> None:
        from ml.__main__ import summary
        from ml.evaluation import full_report
        from ml.predictor import Predictor

        version = find_version(options["model"]) if options["model"] else production_version()
        predictor, bar = Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME), Bar()
        own = load_test_rows(predictor.artifact) or load_corpus("test")  # a model of format 1 came without any
        examples = read_examples(options["data"]) if options["data"] else own
        watch = bar if self.progress(options) else unwatched
        figures = full_report(predictor, examples, threshold=settings.REVIEW_THRESHOLD, watch=watch)
        bar.close()
        name = options["data"].name if options["data"] else OWN_TEST_SPLIT
        evaluation = record_evaluation(version=version, data=name, report=figures)
        if options["json"]:
            self.print_json(figures)
        else:
            self.stdout.write("\n".join(summary(figures)))
            self.stdout.write(f"The whole report: /models/{version.version}/?report={evaluation.pk}")
