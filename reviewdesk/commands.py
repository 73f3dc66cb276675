"""What the desk's commands share: exit codes, `--json`, errors without a traceback.

Exit 0: done. 1: refused, with the reason. 2: misused (argparse).
"""

import json
import sys
from abc import abstractmethod
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from ml.errors import MLError
from reviewdesk.errors import DeskError


class DeskCommand(BaseCommand):
    """A command whose `handle` may raise DeskError or MLError."""

    prints_figures = False

    def add_arguments(self, parser: CommandParser) -> None:
        if self.prints_figures:
            parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """Options of the command itself."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(**options)
        except DeskError as error:
            raise CommandError(error.message) from None
        except MLError as error:
            raise CommandError(str(error)) from None

    @abstractmethod
    def run(self, **options: Any) -> None:
        """Do the work; options are the parsed arguments."""

    def print_json(self, figures: Any) -> None:
        self.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder))

    def progress(self, options: dict[str, Any]) -> bool:
        """Whether to draw progress bars: on a terminal, unless figures are printed."""
        return sys.stderr.isatty() and not options.get("json")
