"""The settings page: switches that pause a part of the desk, each beside the age of what waits for it, and the time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from classifier.models import Email
from responses.models import DraftJob, OutgoingMessage
from responses.models.job import MAX_ATTEMPTS
from reviewdesk.backends import enqueue
from reviewdesk.forms import checked
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN
from reviewdesk.switches.models import Switch
from reviewdesk.switches.services import set_paused, set_time_zone

Waiting = tuple[int, datetime | None]  # how many, and since when the oldest


def _unclassified() -> Waiting:
    found = Email.objects.filter(prediction__isnull=True, verification__isnull=True)
    return found.count(), found.order_by("created_at").values_list("created_at", flat=True).first()


def _undrafted() -> Waiting:
    found = DraftJob.objects.filter(done_at__isnull=True, attempts__lt=MAX_ATTEMPTS)
    return found.count(), found.order_by("queued_at").values_list("queued_at", flat=True).first()


def _unsent() -> Waiting:
    found = OutgoingMessage.objects.filter(status=OutgoingMessage.Status.APPROVED)
    return found.count(), found.order_by("send_after").values_list("send_after", flat=True).first()


BACKLOGS: dict[str, Callable[[], Waiting]] = {
    Switch.Part.CLASSIFICATION: _unclassified,
    Switch.Part.DRAFTING: _undrafted,
    Switch.Part.SENDING: _unsent,
}
SAID = {
    Switch.Part.CLASSIFICATION: "new mail is stored and waits for its label.",
    Switch.Part.DRAFTING: "mail is classified; replies are written by hand.",
    Switch.Part.SENDING: "approved replies wait and can be taken back.",
}
SWEEPERS = {
    Switch.Part.CLASSIFICATION: "workflow.sweep_unclassified",
    Switch.Part.DRAFTING: "workflow.sweep_undrafted",
    Switch.Part.SENDING: "responses.send_due",
}


@dataclass(frozen=True)
class Line:
    """A switch as the page shows it; `switch` is None while it was never thrown."""

    part: str
    label: str
    meaning: str
    switch: Switch | None
    waiting: int
    oldest: datetime | None

    @property
    def paused(self) -> bool:
        return self.switch is not None and self.switch.paused


class SwitchForm(forms.Form):
    part = forms.ChoiceField(choices=Switch.Part.choices)
    paused = forms.BooleanField(required=False)
    reason = forms.CharField(max_length=300, required=False)


class ZoneForm(forms.Form):
    time_zone = forms.CharField(max_length=60)


@for_roles(ADMIN)
def desk_settings(request: DeskRequest) -> HttpResponse:
    known = {s.part: s for s in Switch.objects.select_related("by")}
    lines = [Line(part.value, part.label, SAID[part], known.get(part.value), *BACKLOGS[part]()) for part in Switch.Part]
    zones = {"zone": str(timezone.get_current_timezone()), "zones": sorted(available_timezones())}
    return render(request, "reviewdesk/settings.html", {"lines": lines, "now": timezone.now(), **zones})


@require_POST
@for_roles(ADMIN)
def time_zone(request: DeskRequest) -> HttpResponse:
    name = checked(ZoneForm(request.POST))["time_zone"]
    set_time_zone(name=name, by=request.user)
    messages.info(request, f"Times are shown as in {name}.")
    return redirect("settings")


@require_POST
@for_roles(ADMIN)
def throw_switch(request: DeskRequest) -> HttpResponse:
    switch = set_paused(by=request.user, **checked(SwitchForm(request.POST)))
    if not switch.paused:
        enqueue(SWEEPERS[Switch.Part(switch.part)])
    messages.info(request, f"{switch.get_part_display()} {'is paused' if switch.paused else 'goes on'}.")
    return redirect("settings")
