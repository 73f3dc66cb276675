"""What is paused, and in which time zone the desk is."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError

from reviewdesk.backends import Remembered
from reviewdesk.switches.models import DeskClock, Switch

ZONE_SECONDS = 5.0  # after which a change holds in every process


def _read_zone() -> ZoneInfo:
    try:
        name = DeskClock.objects.values_list("time_zone", flat=True).first()
    except DatabaseError:  # a page that needs no database is not to fail for this
        name = None
    return ZoneInfo(name or settings.TIME_ZONE)


desk_zone = Remembered(_read_zone, seconds=ZONE_SECONDS)


def is_paused(part: str) -> bool:
    return Switch.objects.filter(part=part, paused=True).exists()


def paused() -> list[Switch]:
    """The parts that are paused, with who paused them and why."""
    return list(Switch.objects.filter(paused=True).select_related("by").order_by("part"))
