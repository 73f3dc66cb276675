"""`analyze_experiment --counts FILE.json`."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from abtests.counts import analysis, read_counts
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Say what a test between two models has shown, from a file of counts."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--counts",
            type=Path,
            required=True,
            metavar="FILE",
            help='JSON: {"arms": {"A": {"emails", "verified", "correct"}, "B": {…}}, "planned"?, "gain"?}',
        )

    def run(self, **options: Any) -> None:
        a, b, planned, gain = read_counts(_json(options["counts"]))
        figures = analysis(a, b, planned=planned, gain=gain)
        if options["json"]:
            self.print_json(figures)
        else:
            self.stdout.write("\n".join(_lines(figures)))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeskError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DeskError(f"{path} is not JSON: {error}") from None


def _lines(figures: dict[str, Any]) -> list[str]:
    """The figures for a person."""
    arms = [f"{name}  {arm['correct']} of {arm['verified']} right" for name, arm in figures["arms"].items()]
    valid = figures["always_valid_interval"]
    return [
        *arms,
        f"difference      {figures['difference']:+.4f}",
        f"one look        {_interval(figures['interval'])}, p = {figures['p_value']:.6f}",
        f"at every look   {_interval(valid) if valid else 'not before 50 labels an arm'}",
        f"decision        {figures['decision']}",
        figures["reason"],
    ]


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:+.4f} to {bounds[1]:+.4f}"
