"""One upload, with its progress and what was refused."""

from django.conf import settings
from django.db import models

from classifier.models.taxonomy import Department


class ImportRun(models.Model):
    """A file that is being imported by the worker; `result` is what `import_emails --json` prints."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    department = models.ForeignKey(Department, models.PROTECT, null=True)
    create_labels = models.BooleanField(default=False)
    file = models.FileField(upload_to="imports")
    filename = models.CharField(max_length=255)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    seen = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.filename
