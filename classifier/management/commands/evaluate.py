"""`evaluate [MODEL] [--data FILE]`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from classifier.models import ModelVersion
from classifier.registry.services import find_version, folder_of
from classifier.registry.serving import production_version
from ml.data import load_corpus, read_examples
from ml.evaluation import report, run
from ml.predictor import Predictor
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Measure a model (default: production) on labelled emails (default: the test split of the starter corpus)."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("model", nargs="?", help="version; default: production")
        parser.add_argument("--data", type=Path, metavar="FILE", help="CSV or JSONL with labels")

    def run(self, **options: Any) -> None:
        version = find_version(options["model"]) if options["model"] else production_version()
        examples = read_examples(options["data"]) if options["data"] else load_corpus("test")
        predictor = Predictor(folder_of(version), settings.CLASSIFIER_RUNTIME)
        outcomes = run(predictor, examples, progress=self.progress(options))
        figures = report(outcomes, threshold=settings.REVIEW_THRESHOLD)
        if options["data"] is None:
            ModelVersion.objects.filter(pk=version.pk).update(metrics=figures)
        if options["json"]:
            self.print_json({"model": version.version, **figures})
        else:
            self._print(version.version, figures)

    def _print(self, name: str, figures: dict[str, Any]) -> None:
        self.stdout.write(f"{name} on {figures['n']} emails it was not trained on")
        for head in ("type", "subtype"):
            f = figures[head]
            low, high = f["accuracy_interval"]
            self.stdout.write(
                f"  {head:8} {f['accuracy']:.1%} right ({low:.1%} to {high:.1%}), macro-F1 {f['macro_f1']:.3f}, ECE {f['ece']:.3f}"
            )
        self.stdout.write(
            f"  under the threshold: {figures['share_under_threshold']:.1%}; {figures['latency_ms']['p50']} ms median"
        )
        for department, d in figures["per_department"].items():
            self.stdout.write(
                f"  {department:20} type {d['type_accuracy']:.1%}  subtype {d['subtype_accuracy']:.1%}  n = {d['n']}"
            )
