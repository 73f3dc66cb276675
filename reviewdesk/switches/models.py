"""Which parts of the desk are paused: a row for each, none for those that were never paused."""

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
