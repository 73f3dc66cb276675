"""Several steps at one click: a canned reply put in, tags, somebody in charge, the thread closed."""

from django.conf import settings
from django.db import models

from classifier.models import Department
from responses.models.knowledge import Document


class Macro(models.Model):
    """What an agent applies to a thread. Its words are a canned reply, which searches find as well."""

    name = models.CharField(max_length=80, unique=True)
    department = models.ForeignKey(Department, models.CASCADE, null=True, related_name="+", help_text="None: for all.")
    reply = models.ForeignKey(Document, models.SET_NULL, null=True, related_name="macros")
    tags = models.CharField(max_length=400, blank=True, help_text="To add, separated by commas.")
    to_me = models.BooleanField(default=False, help_text="Assigns the thread to whoever applies it.")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    closes = models.BooleanField(default=False, help_text="Closes the thread; with a reply, once that has left.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def steps(self) -> str:
        """What it does, in words."""
        parts = [
            f"writes “{self.reply.title}”" if self.reply else "",
            f"tags {self.tags}" if self.tags else "",
            "assigns it to you" if self.to_me else f"assigns it to {self.assignee}" if self.assignee else "",
            ("closes it once the reply has left" if self.reply else "closes it") if self.closes else "",
        ]
        return ", ".join(p for p in parts if p)
