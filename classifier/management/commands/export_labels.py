"""`export_labels FILE --format csv|jsonl|parquet|fasttext|label-studio`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from classifier.models import Export
from classifier.retraining.formats import write
from classifier.retraining.rows import count_labels, label_rows, latest_snapshot
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Write every human label in force as a training row; csv and jsonl can be fed back to `train`."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=Export.Format.values, default="csv")

    def run(self, **options: Any) -> None:
        """Written under another name and renamed when whole."""
        file: Path = options["file"]
        part = file.with_name(f".{file.name}.part")
        snapshot = latest_snapshot()
        total = count_labels(snapshot)
        rows = tqdm(label_rows(snapshot), total=total, unit="row", disable=not self.progress(options))
        try:
            with part.open("wb") as out:
                write(options["format"], rows, out)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self.stdout.write(f"{total} labels written to {file}, snapshot v{snapshot}")
