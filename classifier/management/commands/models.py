"""`models list|show|promote|rollback|archive`."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.models import ModelVersion
from classifier.registry.services import archive, find_version, promote, roll_back
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "List model versions, show one, and decide which serves."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "show", "promote", "rollback", "archive"])
        parser.add_argument("version", nargs="?", help="needed by show, promote and archive")

    def run(self, **options: Any) -> None:
        action = options["action"]
        if action == "list":
            return self._list(options["json"])
        if action == "rollback":
            self.stdout.write(f"{roll_back().version} is in production again")
            return None
        version = find_version(options["version"] or "")
        if action == "show":
            self.print_json(_row(version) | {"manifest": version.manifest, "metrics": version.metrics})
        elif action == "promote":
            promote(version=version)
            self.stdout.write(f"{version.version} is in production")
        else:
            archive(version=version)
            self.stdout.write(f"{version.version} is archived")
        return None

    def _list(self, as_json: bool) -> None:
        rows = [_row(v) for v in ModelVersion.objects.order_by("pk")]
        if as_json:
            self.print_json(rows)
            return
        for r in rows:
            self.stdout.write(f"{r['version']:24} {r['state']:11} {r['trained_at'][:16]}  {r['training_size']} emails")


def _row(version: ModelVersion) -> dict[str, Any]:
    m = version.manifest
    return {
        "version": version.version,
        "state": version.state,
        "trained_at": m.get("trained_at", ""),
        "training_size": m.get("training_size"),
        "encoder": m.get("encoder", ""),
    }
