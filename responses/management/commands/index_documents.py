"""`index_documents PATH… --department D`: Markdown and text files as knowledge."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from classifier.models import Department
from responses.knowledge.services import read_document, store_document
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Index Markdown or text files, or folders of them; unchanged files are left alone."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--department", required=True)
        parser.add_argument("--doc-type", default="guide", help="policy, faq or guide, where the file does not say")

    def run(self, **options: Any) -> None:
        department = Department.objects.filter(slug=options["department"]).first()
        if department is None:
            allowed = ", ".join(Department.objects.values_list("slug", flat=True))
            raise DeskError(f"--department is {options['department']!r}; allowed: {allowed}")
        files = [f for p in options["paths"] for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
        files = [f for f in files if f.suffix in (".md", ".txt")]
        if not files:
            raise DeskError("the paths hold no .md or .txt file")
        for file in tqdm(files, unit="file", disable=not self.progress(options)):
            store_document(department=department, **read_document(file, options["doc_type"]))
        self.stdout.write(f"{len(files)} documents indexed for {department}")
