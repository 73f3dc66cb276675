"""Pauses a part of the desk and lets it go on; sets its time zone."""

from zoneinfo import available_timezones

from django.db import transaction

from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User
from reviewdesk.switches.models import DeskClock, Switch
from reviewdesk.switches.queries import desk_zone


def set_paused(*, part: str, paused: bool, reason: str = "", by: User | None = None) -> Switch:
    """Pause a part or let it go on; what is being done at this moment is finished, nothing new is begun."""
    if part not in Switch.Part.values:
        raise DeskError(f"part is {part!r}; allowed: {', '.join(Switch.Part.values)}")
    with transaction.atomic():
        switch, _ = Switch.objects.update_or_create(
            part=part, defaults={"paused": paused, "reason": reason[:300] if paused else "", "by": by}
        )
        record(action=f"{'pause' if paused else 'resume'} {part}", target=switch, actor=by, reason=reason)
    return switch


def set_time_zone(*, name: str, by: User | None = None) -> None:
    """The zone of every page and of the weekly sample, in each process within seconds; what is stored does not change."""
    if name not in available_timezones():
        message = f"time zone is {name!r}; allowed: a name such as Europe/Berlin or UTC"
        raise DeskError(message, fields={"time_zone": [message]})
    with transaction.atomic():
        clock, _ = DeskClock.objects.update_or_create(pk=1, defaults={"time_zone": name})
        record(action="set time zone", target=clock, actor=by, time_zone=name)
        transaction.on_commit(desk_zone.forget)
