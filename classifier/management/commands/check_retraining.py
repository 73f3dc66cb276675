"""`check_retraining`."""

from typing import Any

from classifier.retraining.triggers import check_triggers
from reviewdesk.commands import DeskCommand


class Command(DeskCommand):
    help = "Read what may call for a retraining; the scheduler does it too, once a day."
    prints_figures = True

    def run(self, **options: Any) -> None:
        found = check_triggers()
        if options["json"]:
            self.print_json(
                [{"trigger": r.trigger, "value": r.value, "fired": r.fired, "detail": r.detail} for r in found]
            )
            return
        for reading in found:
            self.stdout.write(f"{'!' if reading.fired else ' '} {reading.get_trigger_display():32} {reading.detail}")
