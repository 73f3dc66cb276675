"""`export_labels FILE --format csv|jsonl`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from classifier.retraining.export import FORMATS, count_labels, snapshot_id, stream
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Write every human label in force as a training row; the file can be fed back to `train`."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=FORMATS, default="csv")

    def run(self, **options: Any) -> None:
        """Written under another name and renamed when whole."""
        file: Path = options["file"]
        part = file.with_name(f".{file.name}.part")
        total = count_labels()
        lines = tqdm(stream(options["format"]), total=total, unit="row", disable=not self.progress(options))
        try:
            with part.open("w", encoding="utf-8", newline="") as out:
                out.writelines(lines)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self.stdout.write(f"{total} labels written to {file}, snapshot {snapshot_id()}")
