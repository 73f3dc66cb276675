"""`models list|show|register|promote|rollback|test|archive|restore|ledger`."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from classifier.models import ModelVersion
from classifier.registry.promotion import promote_by_person
from classifier.registry.queries import find_version, ledger, version_row
from classifier.registry.services import archive, register, restore, roll_back, set_testing
from reviewdesk.commands import DeskCommand

MOVES: dict[str, tuple[Callable[..., None], str]] = {
    "test": (set_testing, "is under test"),
    "archive": (archive, "is archived"),
    "restore": (restore, "is a candidate again"),
}


class Command(DeskCommand):
    help = "List model versions, show one, decide which serves, and see what served when."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "show", "register", "promote", "rollback", "ledger", *MOVES])
        parser.add_argument("version", nargs="?", help="needed by all but list, rollback and ledger")
        parser.add_argument("--reason", default="", help="kept in the ledger; promote needs one")
        parser.add_argument(
            "--force", action="store_true", help="promote a version that is not evaluated, worse or incomplete"
        )

    def run(self, **options: Any) -> None:
        action = options["action"]
        if action == "list":
            return self._list(options["json"])
        if action == "ledger":
            return self._ledger(options["json"])
        if action == "rollback":
            self.stdout.write(f"{roll_back(reason=options['reason']).version} is in production again")
            return None
        if action == "register":
            self.stdout.write(f"{register(name=options['version'] or '').version} is a candidate")
            return None
        version = find_version(options["version"] or "")
        if action == "show":
            self.print_json(version_row(version) | {"manifest": version.manifest, "metrics": version.metrics})
        elif action == "promote":
            promote_by_person(version=version, by=None, reason=options["reason"], force=options["force"])
            self.stdout.write(f"{version.version} is in production")
        else:
            move, said = MOVES[action]
            move(version=version)
            self.stdout.write(f"{version.version} {said}")
        return None

    def _list(self, as_json: bool) -> None:
        rows = [version_row(v) for v in ModelVersion.objects.order_by("pk")]
        if as_json:
            self.print_json(rows)
            return
        for r in rows:
            accuracy = "" if r["subtype_accuracy"] is None else f"{r['subtype_accuracy']:.1%}"
            self.stdout.write(
                f"{r['version']:24} {r['state']:11} {r['trained_at'][:16]}  {r['training_size']} emails  {accuracy}"
            )

    def _ledger(self, as_json: bool) -> None:
        rows = ledger()
        if as_json:
            self.print_json(rows)
            return
        for r in rows:
            self.stdout.write(
                f"{r['since'][:16]}  to {(r['until'] or 'now')[:16]:16}  {r['version']:24} {r['how']}  {r['reason']}"
            )
