"""`index_documents PATH… --department D`: files, folders and zips as knowledge."""

from pathlib import Path, PurePosixPath
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from classifier.models import Department
from responses.knowledge.reading import READERS, files_of
from responses.knowledge.services import store_document
from responses.models import Document
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = (
        f"Index files ({', '.join(READERS)}), folders or zips of them; unchanged files are left alone, "
        "one that cannot be read is named and the rest goes on."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--department", required=True)
        parser.add_argument(
            "--doc-type", default="guide", help="policy, faq, guide or canned, where the file does not say"
        )
        parser.add_argument("--internal", action="store_true", help="for agents' eyes, never quoted to customers")

    def run(self, **options: Any) -> None:
        department = Department.objects.filter(slug=options["department"]).first()
        if department is None:
            allowed = ", ".join(Department.objects.values_list("slug", flat=True))
            raise DeskError(f"--department is {options['department']!r}; allowed: {allowed}")
        files = [file for path in options["paths"] for file in files_of(path)]
        if not files:
            raise DeskError(f"the paths hold no file that can be read; allowed: {', '.join(READERS)}")
        failed = [self._store(department, name, data, options) for name, data in self._bar(files, options)]
        reasons = [reason for reason in failed if reason]
        for reason in reasons:
            self.stderr.write(reason)
        self.stdout.write(f"{len(files) - len(reasons)} of {len(files)} documents indexed for {department}")
        if len(reasons) == len(files):
            raise DeskError("no document could be indexed")

    def _bar(self, files: list[tuple[str, bytes]], options: dict[str, Any]):
        return tqdm(files, unit="file", disable=not self.progress(options))

    def _store(self, department: Department, name: str, data: bytes, options: dict[str, Any]) -> str:
        """The reason why a file could not be indexed, empty when it was."""
        path = PurePosixPath(name)
        title = path.stem.replace("-", " ").replace("_", " ").strip().capitalize() or name
        try:
            document = store_document(
                department=department, title=title, slug=name, doc_type=options["doc_type"],
                internal=options["internal"] or None, file=(path.name, data),
            )  # fmt: skip
        except DeskError as error:
            return error.message
        return document.error if document.status == Document.Status.FAILED else ""
