"""What admins set for the whole desk: which parts are paused (a row for each that ever was), and its time zone."""

from django.conf import settings
from django.db import models


class Switch(models.Model):
    class Part(models.TextChoices):
        CLASSIFICATION = "classification"
        DRAFTING = "drafting"
        SENDING = "sending"

    part = models.CharField(max_length=16, choices=Part, unique=True)
    paused = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.part} {'paused' if self.paused else 'on'}"


class DeskClock(models.Model):
    """The time zone in which people read times and weeks begin; without a row it is REVIEWDESK_TIME_ZONE."""

    time_zone = models.CharField(max_length=60)

    def __str__(self) -> str:
        return self.time_zone
