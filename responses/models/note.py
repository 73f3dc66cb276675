"""What agents tell each other about a thread: notes, and who is looking at it."""

from django.conf import settings
from django.db import models

from classifier.models import Department, Thread


class Note(models.Model):
    """For colleagues only; never leaves the house."""

    thread = models.ForeignKey(Thread, models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="Where the thread was when it was written; who may not see that does not see the note.",
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"


class Presence(models.Model):
    """An agent who had the thread open at `seen_at`; told anew while the page lives."""

    thread = models.ForeignKey(Thread, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["thread", "user"], name="one_presence_per_thread")]

    def __str__(self) -> str:
        return f"{self.user} at {self.thread_id}"
