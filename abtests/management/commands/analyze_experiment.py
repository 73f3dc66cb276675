"""`analyze_experiment SLUG|--counts FILE.json`."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from abtests.counts import analysis, read_counts
from abtests.models import Experiment
from abtests.reports import figures
from reviewdesk.commands import DeskCommand
from reviewdesk.errors import DeskError


class Command(DeskCommand):
    help = "Say what a test between two models has shown: one of this desk, or one recorded in a file of counts."
    prints_figures = True

    def add_options(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("slug", nargs="?", help="of a test of this desk, as in the address of its page")
        which.add_argument(
            "--counts",
            type=Path,
            metavar="FILE",
            help='JSON: {"arms": {"A": {"emails", "verified", "correct"}, "B": {…}}, "planned"?, "gain"?}',
        )

    def run(self, **options: Any) -> None:
        if options["counts"]:
            a, b, planned, gain = read_counts(_json(options["counts"]))
            found, lines = analysis(a, b, planned=planned, gain=gain), _lines
        else:
            found, lines = figures(_experiment(options["slug"])), _desk_lines
        if options["json"]:
            self.print_json(found)
        else:
            self.stdout.write("\n".join(lines(found)))


def _experiment(slug: str) -> Experiment:
    found = Experiment.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Experiment.objects.values_list("slug", flat=True))
        raise DeskError(f"test {slug!r} is unknown; allowed: {known or '(none yet)'}")
    return found


def _desk_lines(figures: dict[str, Any]) -> list[str]:
    valid = figures["always_valid_interval"]
    return [
        f"{figures['name']}: {figures['control']} against {figures['treatment']}, {figures['mode']}, {figures['status']}",
        f"difference      {figures['difference']:+.4f}",
        f"at every look   {_interval(valid) if valid else 'too early'}",
        f"labels          {figures['labels']}, about {figures['labels_left']} more as planned",
        f"decision        {figures['decision']}",
        figures["reason"],
    ]


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
