"""`import_emails FILE… [--department D] [--create-labels]`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from classifier.intake.files import import_file
from classifier.intake.parsed import ImportResult
from classifier.models import Department
from classifier.taxonomy import create_label
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Import emails from mbox, eml, csv or jsonl files, each also gzipped. Importing twice changes nothing."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--department", help="department of raw mail and of rows that name none")
        parser.add_argument("--create-labels", action="store_true", help="make departments and labels that rows name")

    def run(self, **options: Any) -> None:
        department = self._department(options["department"], options["create_labels"])
        total = ImportResult()
        for file in options["files"]:
            self._add(total, self._import(file, department, options))
        self._print(total, options["json"])
        if total.rejected and not total.new and not total.duplicates:
            raise CommandError("nothing was kept")

    def _import(self, file: Path, department: Department | None, options: dict[str, Any]) -> ImportResult:
        with tqdm(desc=file.name, unit="email", disable=not self.progress(options)) as bar:
            return import_file(
                file,
                department=department,
                create_labels=options["create_labels"],
                on_progress=lambda result: bar.update(result.seen - bar.n),
            )

    def _department(self, slug: str | None, create: bool) -> Department | None:
        if slug is None:
            return None
        found = Department.objects.filter(slug=slug).first()
        if found is None and create:
            return create_label(department=slug)
        if found is None:
            allowed = ", ".join(Department.objects.order_by("slug").values_list("slug", flat=True))
            raise DeskError(
                f"--department is {slug!r}; allowed: {allowed or '(none yet: add --create-labels, or make one under Settings, Taxonomy)'}"
            )
        return found

    def _add(self, total: ImportResult, result: ImportResult) -> None:
        total.new += result.new
        total.duplicates += result.duplicates
        total.unreadable += result.unreadable
        total.rejected += result.rejected

    def _print(self, total: ImportResult, as_json: bool) -> None:
        if as_json:
            self.print_json(total.as_json())
            return
        for r in total.rejected[:50]:
            place = ", ".join(x for x in (r.file, f"line {r.line}" if r.line else "", r.field) if x)
            self.stderr.write(f"refused: {place}: {r.reason}")
        self.stdout.write(
            f"{total.new} new ({total.unreadable} unreadable), {total.duplicates} duplicates, {len(total.rejected)} refused"
        )
