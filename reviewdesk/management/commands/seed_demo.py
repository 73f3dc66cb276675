"""`seed_demo`: a desk that is ready to work in, from the starter corpus."""

from typing import Any

from django.core.management.base import CommandParser

from reviewdesk.commands import DeskCommand
from reviewdesk.demo import seed


class Command(DeskCommand):
    help = "Load the taxonomy, the starter model, the knowledge base, three people and some 400 emails. Running it again changes nothing."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--emails", type=int, metavar="N", help="how many emails; default: all, some 440")

    def run(self, **options: Any) -> None:
        seed(say=self.stdout.write, limit=options["emails"])
