"""The audit trail: one append-only row an action."""

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """`actor` is empty when the desk itself acted; `detail` never holds the text of an email."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id", "-id"])]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"
