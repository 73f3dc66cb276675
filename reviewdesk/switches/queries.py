"""What is paused."""

from reviewdesk.switches.models import Switch


def is_paused(part: str) -> bool:
    return Switch.objects.filter(part=part, paused=True).exists()


def paused() -> list[Switch]:
    """The parts that are paused, with who paused them and why."""
    return list(Switch.objects.filter(paused=True).select_related("by").order_by("part"))
