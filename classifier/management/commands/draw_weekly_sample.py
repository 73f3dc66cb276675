"""`draw_weekly_sample`."""

from typing import Any

from django.core.management.base import CommandParser

from classifier.accuracy.sampling import draw_weekly_sample
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Put a random sample of the last seven days' emails into the review queue, once a calendar week."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--size", type=int, help="how many; default: what the accuracy page sets")
        parser.add_argument("--seed", type=int, help="draws the same emails again from the same mail")

    def run(self, **options: Any) -> None:
        draw = draw_weekly_sample(size=options["size"], seed=options["seed"])
        if draw is None:
            self.stdout.write("nothing drawn: this week's sample exists, or no email came in")
        else:
            self.stdout.write(f"{draw.size} of {draw.population} emails drawn for the week of {draw.week}")
