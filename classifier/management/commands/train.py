"""`train --data FILE --name N [--frozen]`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from classifier.registry.building import train_artifact
from classifier.registry.services import register
from ml.data import read_examples
from ml.taxonomy import LabelSpace
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Train a model on a labelled file and register it as a candidate; the label space comes from the file."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="CSV or JSONL, also gzipped")
        parser.add_argument("--name", required=True, help="name of the new version")
        parser.add_argument("--frozen", action="store_true", help="train the heads only: seconds on a CPU")

    def run(self, **options: Any) -> None:
        examples = read_examples(options["data"])
        space = LabelSpace.from_labels((e.department, e.subtype, e.type) for e in examples)
        train_artifact(
            name=options["name"],
            examples=examples,
            space=space,
            trained_by="manage.py train",
            frozen=options["frozen"],
            progress=self.progress(options),
        )
        version = register(name=options["name"])
        self.stdout.write(
            f"{version.version}: trained on {len(examples)} emails, {len(space.subtypes)} subtypes; "
            f"a candidate. Next: manage.py evaluate {version.version} --data FILE, then manage.py models promote {version.version}"
        )
