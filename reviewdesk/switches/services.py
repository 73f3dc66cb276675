"""Pauses a part of the desk and lets it go on."""

from django.db import transaction

from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User
from reviewdesk.switches.models import Switch


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
