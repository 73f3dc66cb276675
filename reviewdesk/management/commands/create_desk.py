"""`create_desk`: an empty desk for one's own mail: tables, a first admin, departments from a file or none."""

import csv
import sys
from getpass import getpass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import transaction

from classifier.models import Department, Subtype
from classifier.taxonomy import create_label
from reviewdesk.accounts import password_link
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ADMIN, User

COLUMNS = ("department", "type", "subtype")


class Command(DeskCommand):
    help = (
        "Make the tables, the first admin, and departments from a CSV file or none. Running it again changes nothing."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--admin", metavar="NAME", help="name of the first admin; asked for on a terminal")
        parser.add_argument("--email", default="", help="address of the first admin")
        parser.add_argument(
            "--departments",
            type=Path,
            metavar="FILE",
            help="CSV with the columns department and, where there are any, type, subtype, guideline",
        )

    def run(self, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        self._make_admin(options["admin"], options["email"])
        if options["departments"]:
            self._read_departments(options["departments"])

    def _make_admin(self, name: str | None, email: str) -> None:
        admins = User.objects.filter(groups__name=ADMIN, is_active=True)
        if admins.exists():
            self.stdout.write(f"{admins.count()} admin(s) are there: {', '.join(a.username for a in admins)}")
            return
        asks = sys.stdin.isatty() and not name
        name = name or (input("Name of the first admin [admin]: ").strip() if asks else "") or "admin"
        password = self._ask_password() if asks else ""
        with transaction.atomic():
            if User.objects.filter(username__iexact=name).exists():
                raise DeskError(f"--admin is {name!r}: there is an account of that name already")
            user = User(username=name, email=email, is_staff=True, is_superuser=True)
            if password:
                user.set_password(password)
            else:
                user.set_unusable_password()
            user.save()
            user.groups.add(Group.objects.get_or_create(name=ADMIN)[0])
        self.stdout.write(f"{name} is the first admin.")
        if not password:
            self.stdout.write(
                f"Set the password at this address of the desk, once, within three days: {password_link(user)}"
            )

    def _ask_password(self) -> str:
        while True:
            password = getpass("Password: ")
            try:
                validate_password(password)
            except ValidationError as error:
                self.stderr.write(" ".join(error.messages))
                continue
            if password == getpass("Once more: "):
                return password
            self.stderr.write("The two differ.")

    def _read_departments(self, file: Path) -> None:
        """All rows or none."""
        try:
            with file.open(newline="", encoding="utf-8-sig") as stream:
                rows = list(csv.DictReader(stream))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DeskError(f"--departments {file} cannot be read: {error}") from None
        if not rows or "department" not in rows[0]:
            raise DeskError(f"--departments {file} has no rows with a column department; allowed: {', '.join(COLUMNS)}")
        with transaction.atomic():
            for number, row in enumerate(rows, 2):
                self._make_row(file, number, {k: (v or "").strip() for k, v in row.items() if k})
        self.stdout.write(
            f"{Department.objects.count()} departments with {Subtype.objects.count()} subtypes are there."
        )

    def _make_row(self, file: Path, number: int, row: dict[str, str]) -> None:
        if not row["department"]:
            raise DeskError(f"{file}, line {number}: department is empty")
        try:
            department = create_label(
                department=row["department"], type=row.get("type", ""), slug=row.get("subtype", "")
            )
        except DeskError as error:
            raise DeskError(f"{file}, line {number}: {error.message}") from None
        if row.get("guideline"):
            department.subtypes.filter(slug=row["subtype"]).update(guideline=row["guideline"])
