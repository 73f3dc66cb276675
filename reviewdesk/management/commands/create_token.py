"""`create_token USER`: prints the token alone, so that a script can keep it."""

from typing import Any

from django.core.management.base import CommandParser

from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User
from reviewdesk.people.services import SCOPES, create_token


class Command(DeskCommand):
    help = "Make an API token for a user and print it; it is shown this once."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--name", default="", help="what the token is for")
        parser.add_argument("--scope", action="append", choices=SCOPES, help="may be given again; default: all")
        parser.add_argument("--days", type=int, default=90, help="until it expires")

    def run(self, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise DeskError(f"user {options['user']!r} does not exist")
        self.stdout.write(create_token(user=user, name=options["name"], scopes=options["scope"], days=options["days"]))
