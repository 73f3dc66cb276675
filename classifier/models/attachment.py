"""A file that came with an email."""

from django.db import models

from classifier.models.email import Email


class Attachment(models.Model):
    email = models.ForeignKey(Email, models.CASCADE, related_name="attachments")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=120)
    content_id = models.CharField(max_length=200, blank=True, help_text="By which the HTML of the email shows it.")
    size = models.PositiveIntegerField(help_text="bytes")
    file = models.FileField(upload_to="attachments")

    def __str__(self) -> str:
        return self.filename
