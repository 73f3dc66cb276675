"""A file that came with an email."""

from django.db import models

from classifier.models.email import Email


class Attachment(models.Model):
    email = models.ForeignKey(Email, models.CASCADE, related_name="attachments")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=120)
    size = models.PositiveIntegerField(help_text="bytes")
    file = models.FileField(upload_to="attachments")

    def __str__(self) -> str:
        return self.filename
