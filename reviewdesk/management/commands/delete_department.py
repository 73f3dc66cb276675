"""`delete_department SLUG… --reason R`: a department with its mail, labels, replies and documents."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.models import Department
from reviewdesk.commands import DeskCommand
from reviewdesk.department_delete import NO_REASON, delete_department, deletion_effect
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Delete departments, such as those of the demo, with everything in them. Nothing brings them back."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", metavar="SLUG")
        parser.add_argument("--reason", default="", help="kept in the audit trail; needed")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def run(self, **options: Any) -> None:
        if not options["reason"].strip():
            raise DeskError(f"--reason is missing. {NO_REASON}")
        departments = list(Department.objects.filter(slug__in=options["slugs"]))
        if missing := set(options["slugs"]) - {d.slug for d in departments}:
            allowed = ", ".join(Department.objects.order_by("slug").values_list("slug", flat=True))
            raise DeskError(f"department {', '.join(sorted(missing))} is unknown; allowed: {allowed or '(none)'}")
        for department in departments:
            effect = deletion_effect(department)
            what = f"{department}: {effect.emails} emails, {effect.labels} labels, {effect.replies} replies sent"
            self.stdout.write(f"{what}, {effect.documents} documents")
        if not options["yes"] and input("Delete them for good? Type yes: ").strip() != "yes":
            raise DeskError("nothing was deleted")
        for department in departments:
            self._delete(department)

    def _delete(self, department: Department) -> None:
        name = str(department)
        Department.objects.filter(pk=department.pk).update(active=False)
        whole = delete_department(
            department=department, on_progress=lambda n: self.stdout.write(f"{name}: {n} emails deleted")
        )
        left = "" if whole else "; its name stays, since emails that are elsewhere now were labelled in it"
        self.stdout.write(f"{name} is deleted{left}")
